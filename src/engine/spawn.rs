//! Starts one execution of a diagnostic: absolute program, exact argv, an environment built from nothing, a process group of its own.
//! Never searches PATH, never uses a shell, and never sets anything (uid, gid, `pre_exec`) that would make std fork instead of `posix_spawn`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;

/// Everything one execution starts with. Nothing is inherited but the descriptors named here.
#[derive(Debug)]
pub struct Launch<'a, E> {
    /// Absolute path of the executable.
    pub program: &'a Path,
    /// Arguments without the program itself.
    pub args: &'a [String],
    /// The whole environment, as pairs of name and value.
    pub env: E,
    /// Working directory: the execution's artifact folder.
    pub cwd: &'a Path,
    /// Standard output, a log opened for append.
    pub stdout: &'a File,
    /// Standard error, a log opened for append.
    pub stderr: &'a File,
}

/// Why an execution could not be started, worded for the record.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The path is not absolute, so it would have been searched for.
    #[error("{} is not an absolute path", .0.display())]
    NotAbsolute(PathBuf),
    /// No such executable: gone between plan and start.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// The folder to start it in is gone.
    #[error("working directory {} does not exist", .0.display())]
    NoWorkingDirectory(PathBuf),
    /// The first line names an interpreter that is not there.
    #[error("interpreter {interpreter} of {} does not exist", .program.display())]
    NoInterpreter {
        /// The script.
        program: PathBuf,
        /// What its `#!` line asks for.
        interpreter: String,
    },
    /// No execute permission for us, a directory, or a `noexec` mount.
    #[error("{} is not executable", .0.display())]
    NotExecutable(PathBuf),
    /// Neither an executable of this machine nor a script with a `#!` line.
    #[error("{} is no executable for this machine", .0.display())]
    WrongFormat(PathBuf),
    /// Anything else the kernel says: out of processes, out of memory, arguments too long.
    #[error("{} could not be started: {source}", .program.display())]
    Os {
        /// The executable.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Starts `launch` as the leader of a new process group, stdin closed to `/dev/null`.
///
/// # Errors
/// [`SpawnError`]; then no process exists.
pub fn spawn<'e, E>(launch: Launch<'_, E>) -> Result<Child, SpawnError>
where
    E: IntoIterator<Item = (&'e str, &'e str)>,
{
    if !launch.program.is_absolute() {
        return Err(SpawnError::NotAbsolute(launch.program.to_path_buf()));
    }
    let os = |source| SpawnError::Os { program: launch.program.to_path_buf(), source };
    let stdout = launch.stdout.try_clone().map_err(os)?;
    let stderr = launch.stderr.try_clone().map_err(os)?;
    Command::new(launch.program)
        .args(launch.args)
        .env_clear()
        .envs(launch.env)
        .current_dir(launch.cwd)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .map_err(|source| explain(launch.program, launch.cwd, source))
}

/// The kernel has one number for several causes; the files say which it was.
fn explain(program: &Path, cwd: &Path, source: io::Error) -> SpawnError {
    let path = || program.to_path_buf();
    match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NOTDIR) if !cwd.is_dir() => SpawnError::NoWorkingDirectory(cwd.to_path_buf()),
        Some(Errno::NOENT | Errno::NOTDIR) => match interpreter(program) {
            Some(interpreter) => SpawnError::NoInterpreter { program: path(), interpreter },
            None => SpawnError::Missing(path()),
        },
        Some(Errno::ACCESS | Errno::ISDIR) => SpawnError::NotExecutable(path()),
        Some(Errno::NOEXEC) => SpawnError::WrongFormat(path()),
        _ => SpawnError::Os { program: path(), source },
    }
}

/// What the `#!` line of a script asks for, its control characters replaced.
fn interpreter(program: &Path) -> Option<String> {
    // The kernel itself reads no more than 256 bytes of that line.
    let mut line = Vec::new();
    BufReader::new(File::open(program).ok()?.take(256)).read_until(b'\n', &mut line).ok()?;
    let rest = line.strip_prefix(b"#!")?;
    let text = String::from_utf8_lossy(rest);
    let name = text.split_whitespace().next()?;
    Some(name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diag(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/diags").join(name)
    }

    /// Expected is the error's text with the fixture folder left out.
    fn check(program: &Path, cwd: &Path, expected: &str) {
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let error = spawn(Launch { program, args: &[], env: [("LANG", "C.UTF-8")], cwd, stdout: &null, stderr: &null })
            .expect_err("must not start");
        let folder = format!("{}/", diag("").display()).replace("//", "/");
        assert_eq!(error.to_string().replace(&folder, ""), expected);
    }

    #[test]
    fn what_cannot_start_says_why() {
        let here = Path::new("/");
        check(Path::new("true"), here, "true is not an absolute path");
        check(&diag("gone.sh"), here, "gone.sh does not exist");
        check(&diag("pass.sh/x"), here, "pass.sh/x does not exist");
        check(
            &diag("bad_interpreter.sh"),
            here,
            "interpreter /nonexistent/interpreter of bad_interpreter.sh does not exist",
        );
        check(&diag("no_exec_bit.sh"), here, "no_exec_bit.sh is not executable");
        check(&diag("wrong_arch"), here, "wrong_arch is no executable for this machine");
        check(
            &diag("pass.sh"),
            Path::new("/nonexistent/folder"),
            "working directory /nonexistent/folder does not exist",
        );
    }
}
