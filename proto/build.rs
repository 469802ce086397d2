//! Compiles the .proto files with protox, so that no `protoc` is needed.

use prost::Message as _;
use std::{env, error::Error, fs, path::PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells build scripts by variables"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let callers = ["tollgate/v1/completion.proto", "tollgate/v1/usage.proto"];
    let descriptors = protox::compile(callers, ["."])?;
    fs::write(out.join("callers.bin"), descriptors.encode_to_vec())?;
    // With what it imports of the callers' API.
    let descriptors = protox::compile(["tollgate/admin/v1/admin.proto"], ["."])?;
    fs::write(out.join("operators.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed=tollgate");
    Ok(())
}
