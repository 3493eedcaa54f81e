//! How many files the process may have open: each agent's and each client's connection is one.
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Shells and systemd leave it at 1,024 for the sake of programs that use select(2)
/// (systemd.exec(5), `LimitNOFILE=`); a controller would turn away the agents beyond.
///
/// Where it can't be raised the controller serves as many as it may: that is told, and no reason to stop.
pub fn raise() {
    let told = getrlimit(Resource::RLIMIT_NOFILE);
    let (before, most) = match told {
        Ok(limits) => limits,
        Err(error) => return tracing::warn!(%error, "the limit of open files could not be read"),
    };
    if before == most {
        return tracing::info!(open_files = most, "limit of open files: each connection takes one");
    }
    match setrlimit(Resource::RLIMIT_NOFILE, most, most) {
        Ok(()) => tracing::info!(
            before,
            open_files = most,
            "limit of open files: each connection takes one"
        ),
        Err(error) => tracing::warn!(
            %error, before, most,
            "the limit of open files could not be raised: agents and clients beyond it are not served (LimitNOFILE= in \
             systemd, ulimit -n in a shell)"
        ),
    }
}
