//! A full disk under the controller's store.
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    process::Command,
};

use whimbrel_tests::{
    Context, Outcome,
    cli::Cli,
    ensure,
    place::{free_port, scratch},
    program::{Program, built},
};

/// The whole disk: room for the CA, the store and its log, and not for much more.
const DISK: &str = "4m";

/// A controller on a disk of its own, in a mount namespace of its own: nothing to unmount, whatever happens.
fn start_on_a_small_disk(folder: &std::path::Path, port: u16) -> Outcome<Program> {
    let disk = folder.join("disk");
    fs::create_dir(&disk)?;
    let script = format!(
        "mount -t tmpfs -o size={DISK} tmpfs '{0}' && exec '{1}' serve --data-dir '{0}/data' --listen 127.0.0.1:{port}",
        disk.display(),
        built("whimbrel-controller")?.display(),
    );
    let mut command = Command::new("unshare");
    // As an ordinary user, in a user namespace where we may mount.
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    Program::start(command, "controller", &folder.join("controller.log"))
}

fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn is_told_and_lived_through() -> Outcome {
    if !can_mount() {
        eprintln!(
            "not run: this machine lets nobody mount a small disk (unshare --map-root-user --mount)"
        );
        return Ok(());
    }
    let folder = tempfile::Builder::new().prefix("whimbrel-disk-").tempdir_in(scratch())?;
    let port = free_port()?;
    let mut controller = start_on_a_small_disk(folder.path(), port)?;
    controller.ready()?;
    // The disk as the controller sees it.
    let inside =
        PathBuf::from(format!("/proc/{}/root{}/disk", controller.id(), folder.path().display()));
    let context = folder.path().join("admin.yaml");
    fs::copy(inside.join("data/admin.yaml"), &context)
        .context(|| "read the controller's context")?;
    let cli = Cli::new(&context, folder.path());
    let scene = || -> Outcome {
        cli.ok(&["agent", "token", "create"])?;
        fill(&inside.join("filler"))?;
        assert_refused(&cli)?;
        cli.ok(&["agent", "list"])?;
        fs::remove_file(inside.join("filler"))?;
        cli.ok(&["agent", "token", "create"]).map(drop)
    };
    let log = || fs::read_to_string(folder.path().join("controller.log")).unwrap_or_default();
    scene().context(log)
}

/// Writes until nothing fits any more.
fn fill(path: &std::path::Path) -> Outcome {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    for size in [65_536, 4_096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    Ok(())
}

/// The store's log has some room of its own left; what no longer fits is refused, and says why.
fn assert_refused(cli: &Cli) -> Outcome {
    // Each call writes a page or more, and the store's log is not that long yet.
    const CALLS_MAX: u32 = 200;
    for _ in 0..CALLS_MAX {
        let said = cli.run(&["agent", "token", "create"])?;
        if said.status != 0 {
            let text = said.describe();
            ensure!(text.contains("StoreFull"), "{text}");
            return Ok(());
        }
    }
    whimbrel_tests::fail!("a full disk was never noticed")
}
