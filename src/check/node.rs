//! One name: where it stands decides which checks it gets.

use super::{Finding, Limits, delegation, reference, structure, style, svcb};
use crate::zone::{Found, Node, ZoneImage};

/// Adds the findings that belong to this owner.
pub(super) fn judge(image: &ZoneImage, node: &Node, limits: &Limits, out: &mut Vec<Finding>) {
    if node.is_empty() && node.name() != image.origin() {
        return;
    }
    structure::judge(image, node, limits, out);
    match image.find(node.name().key().as_bytes()) {
        Found::Cut(cut) if cut.name() != node.name() => {
            delegation::judge_occluded(image, node, cut, out);
        }
        Found::Dname(dname) => delegation::judge_below_dname(node, dname, out),
        Found::Cut(_) => {
            delegation::judge_cut(image, node, out);
            reference::judge_name_servers(image, node, out);
            style::judge(image, node, out);
        }
        Found::Exact(_) | Found::Missing { .. } => {
            reference::judge(image, node, out);
            style::judge(image, node, out);
            svcb::judge(image, node, out);
        }
    }
}

/// Adds those findings of [`judge`] that come of what stands at other names.
pub(super) fn judge_references(image: &ZoneImage, node: &Node, out: &mut Vec<Finding>) {
    match image.find(node.name().key().as_bytes()) {
        Found::Cut(cut) if cut.name() == node.name() => {
            delegation::glue(image, node, out);
            reference::judge_name_servers(image, node, out);
        }
        // Hidden, or led away from: nobody follows what stands here.
        Found::Cut(_) | Found::Dname(_) => {}
        Found::Exact(_) | Found::Missing { .. } => {
            reference::judge(image, node, out);
            svcb::judge(image, node, out);
        }
    }
}
