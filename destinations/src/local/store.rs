use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    error::failed,
    paths::{is_temporary, resolve, temporary},
    upload::{LocalUpload, blocking, create, sync_folder, while_wanted},
};
use crate::{
    contract::Error,
    files::{NewObject, Staged, Stat, Store, Upload},
    own_folder::{Owner, Removed},
};

/// Bytes of a read.
const READ: usize = 1 << 20;

/// A folder as a place for files.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// Files below `root`, which is made when it is first needed, if the folder above it exists.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl Store for LocalStore {
    fn kind(&self) -> &'static str {
        "local"
    }

    async fn stage(&self, object: &NewObject, _: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        let path = temporary(&resolve(&self.root, &object.path)?, object.publish);
        let file = create(&self.root, &path).await?;
        Ok(Box::new(LocalUpload::new(object.clone(), path, file)))
    }

    async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        let target = resolve(&self.root, &staged.object.path)?;
        let from = temporary(&target, staged.object.publish);
        let (replace, bytes, to) = (staged.object.replace, staged.bytes, target.clone());
        blocking(move || reveal(&from, &to, replace, bytes))
            .await
            .map_err(|error| failed("make a part visible", &target, error))
    }

    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        let target = resolve(&self.root, &object.path)?;
        let from = temporary(&target, object.publish);
        let mut file = create(&self.root, &from).await?;
        let (replace, to) = (object.replace, target.clone());
        blocking(move || {
            file.write_all(&bytes)?;
            file.sync_all()?;
            reveal(&from, &to, replace, bytes.len() as u64)
        })
        .await
        .map_err(|error| failed("write a file", &target, error))
    }

    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        let root = self.root.clone();
        let folder = match prefix.rsplit_once('/') {
            Some((folder, _)) => resolve(&root, folder)?,
            None => root.clone(),
        };
        let at = folder.clone();
        while_wanted(move || sweep(&root, &folder, publish))
            .await
            .map_err(|error| failed("remove temporary files", &at, error))
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        let target = resolve(&self.root, path)?;
        let at = target.clone();
        match blocking(move || fs::metadata(at)).await {
            Ok(found) if found.is_file() => Ok(Some(Stat { bytes: found.len(), checksum: None })),
            Ok(_) => Ok(None),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(failed("look at a file", &target, error)),
        }
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let target = resolve(&self.root, path)?;
        let at = target.clone();
        let file = blocking(move || File::open(at))
            .await
            .map_err(|error| failed("open a file for reading", &target, error))?;
        let blocks = stream::try_unfold(file, move |mut file| {
            let target = target.clone();
            async move {
                let read = blocking(move || {
                    let mut block = Vec::with_capacity(READ);
                    (&mut file).take(READ as u64).read_to_end(&mut block)?;
                    Ok((block, file))
                });
                let (block, file) = read.await.map_err(|error| failed("read a file", &target, error))?;
                Ok(if block.is_empty() { None } else { Some((Bytes::from(block), file)) })
            }
        });
        Ok(blocks.boxed())
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        let target = resolve(&self.root, path)?;
        let (root, at) = (self.root.clone(), target.clone());
        blocking(move || {
            match fs::remove_file(&at) {
                Err(error) if !is_gone(&error) => return Err(error),
                _ => {}
            }
            if let Some(folder) = at.parent() {
                remove_empty_folders(&root, folder, Removed::File);
            }
            Ok(())
        })
        .await
        .map_err(|error| failed("remove a file", &target, error))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let root = self.root.clone();
        let wanted = prefix.to_owned();
        let folder = match prefix.rsplit_once('/') {
            Some((folder, _)) => resolve(&root, folder)?,
            None => root.clone(),
        };
        let at = folder.clone();
        let mut paths = blocking(move || {
            let mut paths = Vec::new();
            list(&root, &folder, &mut paths)?;
            Ok(paths)
        })
        .await
        .map_err(|error| failed("list a folder", &at, error))?;
        paths.retain(|path| path.starts_with(&wanted));
        paths.sort();
        Ok(paths)
    }

    async fn probe(&self) -> Result<(), Error> {
        // A publish id that is no publish's: the file can't be mistaken for one's.
        let publish = Uuid::now_v7();
        let existed = {
            let root = self.root.clone();
            blocking(move || Ok(root.is_dir())).await.unwrap_or(false)
        };
        let path = temporary(&self.root.join("probe"), publish);
        let file = create(&self.root, &path).await?;
        let (root, at) = (self.root.clone(), path.clone());
        blocking(move || {
            let written = (&file).write_all(b"probe").and_then(|()| file.sync_all());
            fs::remove_file(&at)?;
            if !existed {
                fs::remove_dir(&root)?;
            }
            written
        })
        .await
        .map_err(|error| failed("write into the target's folder", &path, error))
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Moves a temporary file to its name. Where `replace` is not set, nothing that stands there is touched, unless it
/// is what an earlier attempt moved there.
fn reveal(from: &Path, to: &Path, replace: bool, bytes: u64) -> io::Result<()> {
    let there = match fs::symlink_metadata(from) {
        Ok(_) => true,
        Err(error) if is_gone(&error) => false,
        Err(error) => return Err(error),
    };
    if !there {
        // Moved before, by an attempt whose answer was lost.
        let found = fs::metadata(to)?;
        if found.len() != bytes {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        return sync_name(to);
    }
    if replace {
        fs::rename(from, to)?;
        return sync_name(to);
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !same_content(from, to)? {
                return Err(error);
            }
            fs::remove_file(from)?;
        }
        // A file system without links (FAT, some network mounts): the look before the move leaves a gap, which
        // names that hold the publish make harmless.
        Err(_) => match fs::symlink_metadata(to) {
            Ok(_) if same_content(from, to)? => fs::remove_file(from)?,
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to)?,
        },
    }
    sync_name(to)
}

fn same_content(one: &Path, two: &Path) -> io::Result<bool> {
    let (one, two) = (File::open(one)?, File::open(two)?);
    let (found, wanted) = (two.metadata()?, one.metadata()?);
    if !found.is_file() || found.len() != wanted.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (Vec::with_capacity(READ), Vec::with_capacity(READ));
    loop {
        left.clear();
        right.clear();
        (&one).take(READ as u64).read_to_end(&mut left)?;
        (&two).take(READ as u64).read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}

/// A name is durable once its folder is.
fn sync_name(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), sync_folder)
}

fn sweep(root: &Path, folder: &Path, publish: Uuid) -> io::Result<()> {
    let mut removed = Removed::Nothing;
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry?;
                if is_temporary(&entry.file_name(), Some(publish)) {
                    match fs::remove_file(entry.path()) {
                        Err(error) if !is_gone(&error) => return Err(error),
                        _ => removed = Removed::File,
                    }
                }
            }
        }
        Err(error) if is_gone(&error) => {}
        Err(error) => return Err(error),
    }
    remove_empty_folders(root, folder, removed);
    Ok(())
}

/// Removes `folder` and those above it for as long as they are empty and Herald's own. The target's own stays.
/// `removed`: what was removed in `folder` just now.
fn remove_empty_folders(root: &Path, folder: &Path, mut removed: Removed) {
    for folder in folder.ancestors().take_while(|folder| *folder != root && folder.starts_with(root)) {
        let owner = Owner::of(folder.file_name().and_then(|name| name.to_str()).unwrap_or_default());
        if !owner.may_go(removed) {
            return;
        }
        match fs::remove_dir(folder) {
            Ok(()) => removed = Removed::Folder(owner),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Not empty, or not ours to remove.
            Err(_) => return,
        }
    }
}

fn list(root: &Path, folder: &Path, paths: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_gone(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(root, &path, paths)?;
        } else if !is_temporary(&entry.file_name(), None)
            && let Some(relative) = path.strip_prefix(root).ok().and_then(Path::to_str)
        {
            paths.push(relative.replace(std::path::MAIN_SEPARATOR, "/"));
        }
    }
    Ok(())
}
