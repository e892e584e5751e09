//! Service bindings whose parts do not fit together (RFC 9460).

use super::reference::lower;
use super::walk::{self, Place, has_address};
use super::{Finding, Severity::Warning};
use crate::rr::{Name, RrSet, Rtype, rdata};
use crate::zone::{Node, ZoneImage};

const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;

pub(super) fn judge(image: &ZoneImage, node: &Node, out: &mut Vec<Finding>) {
    for rtype in [Rtype::SVCB, Rtype::HTTPS] {
        if let Some(rrset) = node.rrset(rtype) {
            judge_rrset(image, node.name(), rrset, out);
        }
    }
}

fn judge_rrset(image: &ZoneImage, owner: &Name, rrset: &RrSet, out: &mut Vec<Finding>) {
    let rtype = rrset.rtype();
    let mut warn = |about: String, sentence: String| {
        let data = format!("{rtype} {about}");
        let sentence = format!("{owner} {rtype} {sentence}");
        out.push(Finding::new(Warning, "svcb", owner, data, sentence));
    };
    let bindings: Vec<Binding> = rrset.rdatas().filter_map(Binding::read).collect();
    let aliases = bindings.iter().filter(|b| b.priority == 0).count();
    if aliases > 1 {
        // §2.4.2.
        warn(
            "aliases".into(),
            format!("has {aliases} aliases; one counts"),
        );
    }
    if aliases > 0 && aliases < bindings.len() {
        // §2.4.1.
        warn(
            "alias-beside-services".into(),
            "has an alias beside services, which are then ignored".into(),
        );
    }
    for binding in &bindings {
        let target = &binding.target;
        let about = |what: &str| format!("{} {} {what}", binding.priority, lower(target));
        if let Some(complaint) = binding.complaint(owner) {
            warn(about("params"), complaint);
        }
        // In service mode the root stands for the owner (§2.5.2); an alias may lead to nothing.
        if binding.priority > 0 && !target.is_root() {
            let lost = match walk::place(image, target) {
                Place::Here(node) => !has_address(node),
                Place::Nothing => true,
                _ => false,
            };
            if lost {
                warn(
                    about("address"),
                    format!("leads to {target}, which has no address"),
                );
            }
        }
    }
}

struct Binding {
    priority: u16,
    target: Name,
    /// Keys and values in the order of the wire.
    params: Vec<(u16, Vec<u8>)>,
}

impl Binding {
    fn read(data: &[u8]) -> Option<Binding> {
        // SVCB and HTTPS have one wire form.
        let target = rdata::target(Rtype::SVCB, data)?;
        let mut rest = data.get(2 + target.len()..)?;
        let mut params = Vec::new();
        while !rest.is_empty() {
            let head = rest.first_chunk::<4>()?;
            let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = rest.get(4..4 + len)?.to_vec();
            params.push((u16::from_be_bytes([head[0], head[1]]), value));
            rest = &rest[4 + len..];
        }
        Some(Binding {
            priority: u16::from_be_bytes([data[0], data[1]]),
            target,
            params,
        })
    }

    fn param(&self, key: u16) -> Option<&[u8]> {
        let found = self.params.iter().find(|(own, _)| *own == key);
        found.map(|(_, value)| value.as_slice())
    }

    fn complaint(&self, owner: &Name) -> Option<String> {
        if self.priority == 0 {
            if self.target == *owner {
                return Some("is an alias to itself".into());
            }
            // §2.4.2.
            return (!self.params.is_empty())
                .then(|| "has parameters on an alias, which are ignored".into());
        }
        // §7.1.1.
        let lacks_alpn = self.param(NO_DEFAULT_ALPN).is_some() && self.param(ALPN).is_none();
        lacks_alpn.then(|| "has no-default-alpn without alpn".into())
    }
}
