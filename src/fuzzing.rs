//! What the targets in `fuzz/` reach into; in no other build.

pub use crate::disposition::{file_name, safe};
pub use crate::endpoint::{Endpoint, display};
pub use crate::ffi::all as c;
pub use crate::json::text_at;
pub use crate::json_value::parse as value;
pub use crate::jwt::claims;
pub use crate::outcome::{Advice, LONGEST_ASKED_WAIT, Outcome};
pub use crate::retry::Policy;

/// The body that a request would have.
pub fn body(request: &crate::Request) -> crate::Result<Option<Vec<u8>>> {
    Ok(request.body()?.map(|body| body.to_vec()))
}
