//! Keeps built programs aside: a revision stays what it was when the next build overwrites the file.

use super::definition::{Definition, Run};
use crate::exit::{Exit, Failure, Outcome};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The program that a revision keeps: one that the file names by path and has a build for. `python3`
/// from `PATH` is the machine's, not the revision's.
fn own_program(definition: &Definition) -> Option<&Path> {
    let Run::Process { argv, .. } = &definition.run else {
        return None;
    };
    let process = definition.service.process.as_ref()?;
    process.build.as_ref()?;
    let written = definition.service.local_command()?;
    written[0].contains('/').then(|| Path::new(&argv[0]))
}

/// The name that the present program would be kept under, `<digest>/<file name>`; `None` where the
/// revision keeps none or it is not built yet.
pub(crate) fn program_digest(definition: &Definition) -> Outcome<Option<String>> {
    let Some(program) = own_program(definition).filter(|program| program.exists()) else {
        return Ok(None);
    };
    let mut hasher = blake3::Hasher::new();
    std::fs::File::open(program)
        .and_then(|file| hasher.update_reader(file).map(drop))
        .map_err(|error| {
            Failure::new(
                Exit::Error,
                format!("cannot read `{}`: {error}", program.display()),
            )
        })?;
    let digest = hasher.finalize().to_hex();
    let file_name = program
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("program");
    Ok(Some(format!("{}/{file_name}", &digest[..16])))
}

/// Keeps a built program aside, so that its revision stays what it was when the next build
/// overwrites the file. Answers with the copy's name within `artifacts`.
pub(crate) fn keep_program(definition: &Definition, artifacts: &Path) -> Outcome<Option<String>> {
    let (Some(program), Some(name)) = (own_program(definition), program_digest(definition)?) else {
        return Ok(None);
    };
    let kept = artifacts.join(&name);
    if kept.exists() {
        return Ok(Some(name));
    }
    let cannot = |error: std::io::Error| {
        Failure::new(
            Exit::Error,
            format!("cannot keep a copy of `{}`: {error}", program.display()),
        )
        .help(format!("check the free space of `{}`", artifacts.display()))
    };
    let folder = kept.parent().unwrap_or(artifacts);
    crate::paths::private_dir(folder)?;
    let copy = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
    std::fs::copy(program, copy.path()).map_err(cannot)?;
    std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o700))
        .map_err(cannot)?;
    copy.persist(&kept).map_err(|error| cannot(error.error))?;
    Ok(Some(name))
}
