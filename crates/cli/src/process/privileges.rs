//! Giving rights away before anything is read or sent: the Actions runner starts the container as root, with the
//! engine's socket in it, and whoever commands that socket commands the machine.
//!
//! The process becomes the user whom the step's files belong to, in no group and without a capability, and can't gain
//! anything back. Those files are then opened as their owner and never as root. The group is nobody's and not the
//! files' own: that one may be the engine's, as on GitHub's machines, where the runner's user is in it.
//!
//! Files of root (a runner that works as root, or an engine without root, where root is only the runner's user) leave
//! no user to become; the capabilities go all the same. On the command line nothing is given up: there root is what a
//! person chose.
//!
//! On Linux rights belong to a thread, and a thread begins with those of its maker: this comes before every thread.
//! See capabilities(7), "Effect of user ID changes on capabilities", and setgroups(2).

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The group of nobody in particular, on every Linux.
const NOBODY: u32 = 65_534;

/// What the runner makes for a step, in the order in which their owner is believed.
const THE_RUNNERS: [&str; 2] = ["GITHUB_OUTPUT", "GITHUB_WORKSPACE"];

/// Gives root's rights away where the arguments are the Action's; nothing where there are none.
///
/// # Errors
/// What the operating system answers. Then some may be left, and nothing should be done with them.
pub(crate) fn give_up(args: &[OsString], vars: &BTreeMap<String, String>) -> io::Result<()> {
    if !(is_action(args) && geteuid().is_root()) {
        return Ok(());
    }
    become_owner(owner(vars))
}

/// Whether it is one of the image's two entry points.
fn is_action(args: &[OsString]) -> bool {
    let name = args.first().and_then(|path| Path::new(path).file_name());
    name.is_some_and(|name| name == "harbor-pilot-post")
        || args.get(1).is_some_and(|word| word == "action")
}

/// Returns the user whom the step's files belong to; root where there are none.
fn owner(vars: &BTreeMap<String, String>) -> Uid {
    THE_RUNNERS
        .iter()
        .filter_map(|name| std::fs::metadata(vars.get(*name)?).ok())
        .map(|found| Uid::from_raw(found.uid()))
        .next()
        .unwrap_or(Uid::ROOT)
}

fn become_owner(user: Uid) -> io::Result<()> {
    if !user.is_root() {
        let group = Gid::from_raw(NOBODY);
        // The user last: it takes the right to change the others.
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    set_capabilities(None, sets)?;
    set_no_new_privs(true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn vars(pairs: &[(&str, &Path)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, path)| ((*name).to_owned(), path.display().to_string()))
            .collect()
    }

    #[test]
    fn the_owner_of_the_steps_files_is_who_to_become() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        fs::write(&output, "").unwrap();
        let mine = rustix::process::geteuid();
        assert_eq!(owner(&vars(&[("GITHUB_OUTPUT", &output)])), mine);
        assert_eq!(owner(&vars(&[("GITHUB_WORKSPACE", folder.path())])), mine);
        assert_eq!(
            owner(&vars(&[
                ("GITHUB_OUTPUT", Path::new("/nowhere")),
                ("GITHUB_WORKSPACE", folder.path())
            ])),
            mine
        );
        assert_eq!(owner(&BTreeMap::new()), Uid::ROOT);
    }

    #[test]
    fn only_the_images_entry_points_give_anything_up() {
        let action =
            |args: &[&str]| is_action(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(action(&["/harbor-pilot", "action"]));
        assert!(action(&["/harbor-pilot-post", "action"]));
        assert!(action(&["/harbor-pilot-post"]));
        assert!(!action(&["/harbor-pilot", "run", "--app", "action"]));
        assert!(!action(&["/usr/bin/harbor-pilot"]));
        assert!(!action(&[]));
    }

    #[test]
    fn a_thread_that_gave_up_roots_rights_has_none() {
        if !geteuid().is_root() {
            println!(
                "only root has rights to give up; the container story looks at the whole process"
            );
            return;
        }
        // A thread of its own: the other tests keep theirs.
        let status = std::thread::spawn(|| {
            become_owner(Uid::from_raw(1001)).unwrap();
            fs::read_to_string("/proc/thread-self/status").unwrap()
        });
        let status = status.join().unwrap();
        let line = |name: &str| {
            let found = status.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap().split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(line("Uid:"), ["1001"; 4]);
        assert_eq!(line("Gid:"), ["65534"; 4]);
        assert_eq!(line("Groups:"), [""; 0]);
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(line(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(line("NoNewPrivs:"), ["1"]);
    }
}
