//! `cargo xtask scylla-down`: stops what `scylla-up` started, and nothing else.

use std::{fs, io, path::Path, time::Instant};

use super::{
    docker,
    engine::Engine,
    error::Error,
    options::DownOptions,
    place::Place,
    server,
    settings::Settings,
    state::{Handle, State},
};
use crate::workspace::Workspace;

/// Stops the instance, and removes what is left of it if that is asked for.
pub(crate) fn run(workspace: &Workspace, options: &DownOptions) -> Result<(), Error> {
    let place = Place::new(&workspace.target);
    let name = &options.name;
    let folder = place.instance(name);
    let _lock = place.lock(name.as_str())?;
    let Some(mut state) = State::read(&folder)? else {
        println!("`{name}` was not started by scylla-up: nothing to stop");
        return Ok(());
    };

    let running =
        state.started.iter().map(|started| &started.handle).filter(|handle| handle.runs()).collect::<Vec<_>>();
    if running.is_empty() {
        println!("`{name}` does not run");
    } else {
        let start = Instant::now();
        let shown = running.iter().map(|handle| handle.shown()).collect::<Vec<_>>().join(", ");
        eprintln!("{} `{name}`: {shown}", if options.kill { "killing" } else { "stopping" });
        // What is removed at once need not be written first.
        server::stop(&running, options.kill || options.wipe)?;
        println!("`{name}` is stopped after {:.1} s", start.elapsed().as_secs_f64());
    }
    // A container that has ended by itself is still there.
    let ended = state.started.iter().map(|started| &started.handle);
    for handle in ended.filter(|handle| matches!(handle, Handle::Container { .. }) && !handle.runs()) {
        server::stop(&[handle], false)?;
    }
    state.started.clear();
    if !options.wipe {
        state.write(&folder)?;
        return Ok(());
    }
    wipe(&state.settings, options, &folder)?;
    println!("its data is removed");
    Ok(())
}

/// Removes the data first: the record says where it is, and is gone last.
fn wipe(settings: &Settings, options: &DownOptions, folder: &Path) -> Result<(), Error> {
    match settings.engine {
        Engine::Scylla => docker::wipe(settings, &options.name)?,
        Engine::Cassandra => {
            for index in 0..settings.nodes {
                let data = settings.data_of(index);
                remove(&data)?;
                // The folder around it goes too, unless there is more in it than this program put there.
                let _ = data.parent().map(fs::remove_dir);
            }
            let _ = fs::remove_dir(&settings.data_dir);
        }
    }
    remove(folder)
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::Write { path: path.to_path_buf(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::settings::tests::cassandra, *};

    #[test]
    fn wiping_removes_what_was_written_and_no_more() {
        let root = std::env::temp_dir().join(format!("xtask-wipe-{}", std::process::id()));
        let (folder, data_dir) = (root.join("default"), root.join("mine"));
        let settings = Settings { data_dir: data_dir.clone(), ..cassandra(3) };
        for index in 0..3 {
            fs::create_dir_all(settings.data_of(index).join("commitlog")).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        fs::write(data_dir.join("node2").join("notes"), "").unwrap();

        wipe(&settings, &DownOptions { name: "default".parse().unwrap(), wipe: true, kill: false }, &folder).unwrap();

        assert!(!folder.exists());
        assert!(!data_dir.join("node1").exists());
        assert!(data_dir.join("node2").join("notes").exists());
        assert!(!settings.data_of(1).exists());
        fs::remove_dir_all(root).unwrap();
    }
}
