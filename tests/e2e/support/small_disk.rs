//! A disk that is soon full: memory, mounted by root.

use std::path::Path;
use std::process::Command;

/// A disk of one megabyte.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    pub(crate) fn mount(folder: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=1m,mode=700", "none"])
            .arg(folder);
        let mounted = mount.output().is_ok_and(|ran| ran.status.success());
        mounted.then_some(Self(folder))
    }

    pub(crate) fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while file.write(&[0; 512]).is_ok_and(|written| written > 0) {}
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}
