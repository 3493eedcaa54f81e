//! Who freezes at a point has not gone a step beyond it, however busy the machine is.
use std::{
    fs,
    hint::spin_loop,
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

/// Freezes in one life: one alone would meet the machine in a good moment.
const FREEZES: usize = 40;

/// Threads that keep the machine busy, so that a signal that another thread is to take has time to be late.
const BUSY: usize = 6;

/// What the frozen one writes down, and where.
const FILE: &str = "WHIMBREL_FREEZE_FILE";

/// Nothing of a test's takes longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Not a test: the program that freezes, for the test below.
#[test]
fn the_one_that_freezes() {
    let Some(file) = std::env::var_os(FILE) else { return };
    for _ in 0..BUSY {
        thread::spawn(|| {
            loop {
                spin_loop();
            }
        });
    }
    for freeze in 0..FREEZES {
        whimbrel_points::point!("p{freeze}");
        fs::write(&file, (freeze + 1).to_string()).expect("the file");
    }
}

#[test]
fn nothing_is_done_beyond_a_point_before_it_is_woken() {
    let file = std::env::temp_dir().join(format!("whimbrel-freeze-{}", std::process::id()));
    fs::write(&file, "0").expect("the file");
    let orders: Vec<String> = (0..FREEZES).map(|freeze| format!("p{freeze}=freeze")).collect();
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_one_that_freezes"])
        .env(whimbrel_points::VARIABLE, orders.join(","))
        .env(FILE, &file)
        .spawn()
        .expect("this program once more");
    let seen = watch(&mut child, &file);
    child.kill().expect("the end of the one that freezes");
    child.wait().expect("its status");
    fs::remove_file(&file).expect("the file");
    seen.expect("frozen where it was told to");
}

/// Wakes it each time, when it is frozen where it should be.
fn watch(child: &mut Child, file: &Path) -> Result<(), String> {
    for freeze in 0..FREEZES {
        until_frozen(child)?;
        let done = fs::read_to_string(file).map_err(|error| error.to_string())?;
        if done != freeze.to_string() {
            return Err(format!("at point p{freeze} it has passed {done} points"));
        }
        let woken = Command::new("kill").args(["-s", "CONT", &child.id().to_string()]).status();
        woken.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn until_frozen(child: &mut Child) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    let stat = format!("/proc/{}/stat", child.id());
    while Instant::now() < end {
        let text = fs::read_to_string(&stat).map_err(|error| error.to_string())?;
        if text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err("it did not freeze".to_owned())
}
