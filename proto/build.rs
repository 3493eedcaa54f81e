//! Compiles the .proto files with protox, in this process: no protoc to install.
use prost::Message as _;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 7] = [
    "whimbrel/v1/endpoint.proto",
    "whimbrel/v1/agent.proto",
    "whimbrel/v1/target.proto",
    "whimbrel/v1/migration.proto",
    "whimbrel/v1/compare.proto",
    "whimbrel/agent/v1/enrolment.proto",
    "whimbrel/agent/v1/link.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    let set = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Kept for the reflection service.
    fs::write(out.join("whimbrel.fds.bin"), set.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".whimbrel.agent.v1.Checked.facts")
        // A secret must not reach a log by way of {:?}: their Debug is written by hand, in src/redact.rs.
        .skip_debug([
            ".whimbrel.v1.SealedCopy",
            ".whimbrel.agent.v1.EnrolRequest",
            ".whimbrel.v1.JoinToken",
        ])
        .compile_fds(set)?;
    Ok(())
}
