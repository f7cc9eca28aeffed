//! SHA-256 of files and bytes as lower-case hex. Reads in pieces, so a file of any size costs the same memory.
//! Never follows what the hash is for.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::StoreError;

/// Bytes that are read at once.
pub(crate) const PIECE: usize = 128 * 1024;

/// Lower-case hex of SHA-256 over `bytes`.
pub fn bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex of SHA-256 over the content of the file at `path` (a symlink is followed).
pub fn file(path: &Path) -> Result<String, StoreError> {
    let mut source = File::open(path).map_err(StoreError::io("read", path))?;
    stream(&mut source, &mut io::sink()).map(|(digest, _)| digest).map_err(|fault| match fault {
        StreamError::Read(error) | StreamError::Write(error) => StoreError::io("read", path)(error),
    })
}

/// Lower-case hex of SHA-256 over the first `length` bytes of `source`, or over all of it; read through `piece`, which may be
/// used again. `each` hears how many bytes were read.
pub(crate) fn through(
    source: &mut impl Read,
    length: Option<u64>,
    piece: &mut [u8],
    each: &mut dyn FnMut(u64),
) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut left = length.unwrap_or(u64::MAX);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        let read = match source.read(piece.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(piece.get(..read).unwrap_or_default());
        left -= read as u64;
        each(read as u64);
    }
    Ok(hex(&hasher.finalize()))
}

/// Which side of a copy failed.
#[derive(Debug)]
pub(crate) enum StreamError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies `source` to `target` and returns the hex digest and the number of bytes that went through.
pub(crate) fn stream(source: &mut impl Read, target: &mut impl Write) -> Result<(String, u64), StreamError> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut total = 0;
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => return Ok((hex(&hasher.finalize()), total)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(StreamError::Read(error)),
        };
        let filled = piece.get(..read).unwrap_or_default();
        hasher.update(filled);
        target.write_all(filled).map_err(StreamError::Write)?;
        total += read as u64;
    }
}

fn hex(digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(digest.len() * 2);
    for byte in digest {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways of hashing give `expected`.
    fn check(content: &[u8], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, content).unwrap();
        assert_eq!(file(&path).unwrap(), expected);
        assert_eq!(bytes(content), expected);
        let mut heard = 0;
        let longer = [content, b"tail"].concat();
        let first = Some(content.len() as u64);
        assert_eq!(through(&mut &*longer, first, &mut [0; 1000], &mut |read| heard += read).unwrap(), expected);
        assert_eq!(through(&mut &*content, None, &mut [0; 7], &mut |_| ()).unwrap(), expected);
        assert_eq!(heard, content.len() as u64);
    }

    #[test]
    fn gives_the_published_vectors() {
        check(b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check(b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check(&vec![b'a'; 1_000_000], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }

    #[test]
    fn a_folder_or_nothing_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let text = |path: &Path| file(path).unwrap_err().to_string().replace(&folder.path().display().to_string(), "D");
        assert_eq!(text(folder.path()), "read D: Is a directory");
        assert_eq!(text(&folder.path().join("x")), "read D/x: No such file or directory");
    }
}
