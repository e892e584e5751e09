//! A zone as it is served: an immutable image that shares its structure with the one before it.
//!
//! Read in order: `image` (nodes and look-ups), `editor` (from one image to the next), `diff`
//! (what lies between two), `digest` (what a zone's records add up to), `operation` (what a change
//! asks for), `published` (all zones at one moment, and the pointer that queries read).
//! Not here: how an answer is made (`answer`), whether an image is fit (`check`), who may replace
//! it (`publish`).

mod diff;
mod digest;
mod editor;
mod image;
mod operation;
mod published;

pub use diff::{Diff, RrsetChange};
pub use digest::Digest;
pub use editor::{Editor, OutsideZone};
pub use image::{Found, Node, ZoneImage};
pub use operation::Operation;
pub use published::{Hold, Published, Reader, Served, ServedZone, Writer, pointer};
