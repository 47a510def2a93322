//! A socket in the data folder: what whoever may write there asks of the process that has the folder.
//!
//! A request is a line of JSON, `{"backup":"/absolute/folder"}`. The answer is lines of JSON:
//! `{"step":"…","done":1,"of":9}` any number of times, then `{"done":null}` or `{"error":"…"}`. Who may open the socket
//! is said by the file system: its owner alone.

use crate::backup::{Backup, Steps};
use crate::inbox::Inbox;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{Permissions, remove_file, set_permissions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Name of the socket in a data folder.
pub const SOCKET: &str = "socket";
/// Bytes of a request, at most.
const REQUEST_BYTES_MAX: u64 = 8 * 1024;
/// Time in which a request must come.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// A backup in a new folder.
    Backup(PathBuf),
}

/// A line of the answer.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Answer {
    Step { step: String, done: u64, of: u64 },
    Error { error: String },
    Done { done: () },
}

/// Listens until the process ends; each request is answered before the next is read.
///
/// # Errors
/// When the socket cannot be made.
pub fn listen(data: &Path, inbox: Arc<Inbox>) -> Result<Socket> {
    let path = data.join(SOCKET);
    // One that is there is left over: this process holds the folder's lock.
    match remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    set_permissions(&path, Permissions::from_mode(0o600))?;
    let data = data.to_path_buf();
    let answering = thread::Builder::new().name("socket".into());
    // It is not waited for: what it has half made when the process ends is cleared by the next that makes it.
    answering.spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            if let Err(error) = answer(stream, &data, &inbox) {
                tracing::warn!(%error, "a request at the folder's socket");
            }
        }
    })?;
    Ok(Socket { path })
}

/// The socket of a running node; its name goes with it.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // What is left over is cleared by the next node.
        let _ = remove_file(&self.path);
    }
}

fn answer(mut stream: UnixStream, data: &Path, inbox: &Inbox) -> Result<()> {
    stream.set_read_timeout(Some(REQUEST_TIME))?;
    stream.set_write_timeout(Some(REQUEST_TIME))?;
    let mut line = vec![];
    BufReader::new((&stream).take(REQUEST_BYTES_MAX)).read_until(b'\n', &mut line)?;
    let mut said = None;
    let mut tell = |step: &str, done: u64, of: u64| {
        let percent = (done * 100).checked_div(of).unwrap_or(100);
        if said != Some(percent) {
            said = Some(percent);
            // Whoever asked may have gone; the backup is made all the same.
            let _ = send(&mut &stream, &Answer::Step { step: step.into(), done, of });
        }
    };
    let done = match serde_json::from_slice(&line) {
        Ok(Request::Backup(to)) => back_up(data, &to, inbox, &mut tell),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => send(&mut stream, &Answer::Done { done: () }),
        Err(error) => send(&mut stream, &Answer::Error { error: format!("{error:#}") }),
    }
}

fn back_up(data: &Path, to: &Path, inbox: &Inbox, tell: Steps<'_>) -> Result<()> {
    if !to.is_absolute() {
        bail!("{} is no absolute path", to.display());
    }
    let still = inbox.still().blocking_recv().context("the node stops")??;
    let made = Backup::write(&still, data, to, tell)?;
    tracing::info!(height = made.height(), to = %to.display(), "backed up");
    Ok(())
}

fn send(to: &mut impl Write, answer: &Answer) -> Result<()> {
    let line = [serde_json::to_vec(answer)?, b"\n".to_vec()].concat();
    Ok(to.write_all(&line)?)
}

/// Has the process that has a data folder open back it up, and tells how far that is.
///
/// # Errors
/// When that process has no socket there, or what it says.
pub fn ask_for_backup(data: &Path, to: &Path, tell: Steps<'_>) -> Result<()> {
    let path = data.join(SOCKET);
    let mut stream = UnixStream::connect(&path).with_context(|| {
        format!("no running node answers at {}; stop the process that has the folder", path.display())
    })?;
    let mut line = serde_json::to_vec(&Request::Backup(std::path::absolute(to)?))?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?)? {
            Answer::Step { step, done, of } => tell(&step, done, of),
            Answer::Error { error } => bail!("{error}"),
            Answer::Done { .. } => return Ok(()),
        }
    }
    bail!("the node ended before the backup was whole; nothing is at {}", to.display())
}
