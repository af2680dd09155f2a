//! Tests of the whole extension on real directories.

use std::fs;
use std::path::Path;

use component::Kind;
use serde_json::json;

use super::*;

fn context() -> Context {
    Context::detached(Kind::Extension, "file_storage")
}

fn config(directory: &Path) -> Config {
    Config { directory: directory.to_str().unwrap().to_owned(), fsync: false, ..Config::default() }
}

fn client(directory: &Path, context: &Context) -> Arc<dyn StorageClient> {
    let storage = FileStorage::new(config(directory), context).storage().unwrap();
    storage.client(&context.key, "state").unwrap()
}

fn entry_files(directory: &Path, suffix: &str) -> Vec<std::path::PathBuf> {
    let spaces =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = spaces.flat_map(|space| fs::read_dir(space).unwrap().map(|entry| entry.unwrap().path()));
    files.filter(|path| path.to_str().unwrap().contains(suffix)).collect()
}

#[test]
fn what_was_set_is_there_after_a_restart_and_gone_after_delete() {
    let directory = tempfile::tempdir().unwrap();
    let context = context();
    for fsync in [false, true] {
        let storage =
            FileStorage::new(Config { fsync, ..config(directory.path()) }, &context).storage().unwrap();
        let client = storage.client(&context.key, "state").unwrap();
        client.set("../a", b"one").unwrap();
        client.set("../a", b"two").unwrap();
        drop((client, storage));
        let client = self::client(directory.path(), &context);
        assert_eq!(client.get("../a").unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(client.get("b").unwrap(), None);
        client.delete("../a").unwrap();
        client.delete("../a").unwrap();
        assert_eq!(client.get("../a").unwrap(), None);
    }
}

#[test]
fn components_and_purposes_do_not_see_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let context = context();
    let storage = FileStorage::new(config(directory.path()), &context).storage().unwrap();
    let other = Context::detached(Kind::Receiver, "filelog");
    let clients = [
        storage.client(&context.key, "a").unwrap(),
        storage.client(&context.key, "b").unwrap(),
        storage.client(&other.key, "a").unwrap(),
    ];
    for (i, client) in clients.iter().enumerate() {
        client.set("x", &[i as u8]).unwrap();
        fs::write(client.directory().join("own"), [i as u8]).unwrap();
    }
    for (i, client) in clients.iter().enumerate() {
        assert_eq!(client.get("x").unwrap(), Some(vec![i as u8]));
        assert_eq!(fs::read(client.directory().join("own")).unwrap(), [i as u8]);
    }
}

#[test]
fn an_entry_torn_at_any_byte_is_set_aside_counted_and_writable_again() {
    let directory = tempfile::tempdir().unwrap();
    let context = context();
    let client = client(directory.path(), &context);
    client.set("x", b"value").unwrap();
    let file = entry_files(directory.path(), ".entry").remove(0);
    let good = fs::read(&file).unwrap();
    for length in 0..good.len() {
        fs::write(&file, &good[..length]).unwrap();
        assert_eq!(client.get("x").unwrap(), None, "torn at {length}");
        assert!(!file.exists());
    }
    assert_eq!(entry_files(directory.path(), ".entry.corrupt-").len(), 16, "the number of copies is bounded");
    assert_eq!(context.telemetry.total("otelcol_extension_file_storage_corrupt_entries"), good.len() as f64);
    client.set("x", b"again").unwrap();
    assert_eq!(client.get("x").unwrap().as_deref(), Some(&b"again"[..]));
}

#[test]
fn what_a_crash_left_half_written_is_removed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let context = context();
    client(directory.path(), &context).set("x", b"value").unwrap();
    let file = entry_files(directory.path(), ".entry").remove(0);
    fs::write(file.with_file_name("x.entry.tmp-7"), b"half").unwrap();
    let client = client(directory.path(), &context);
    assert!(entry_files(directory.path(), ".tmp-").is_empty());
    assert_eq!(client.get("x").unwrap().as_deref(), Some(&b"value"[..]));
}

#[test]
fn readers_beside_writers_see_whole_values_only() {
    let directory = tempfile::tempdir().unwrap();
    let context = context();
    let client = client(directory.path(), &context);
    client.set("x", &[0; 10_000]).unwrap();
    std::thread::scope(|scope| {
        for writer in 1..4u8 {
            let client = &client;
            scope.spawn(move || {
                for _ in 0..50 {
                    client.set("x", &vec![writer; 10_000 + usize::from(writer)]).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..200 {
                let value = client.get("x").unwrap().expect("always there");
                assert_eq!(value.len(), 10_000 + usize::from(value[0]));
                assert!(value.iter().all(|byte| *byte == value[0]));
            }
        });
    });
    assert_eq!(context.telemetry.total("otelcol_extension_file_storage_corrupt_entries"), 0.0);
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_has_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join(".lock");
    fs::write(&lock, "4242\n").unwrap();
    // A lock belongs to the opened file, not to the process: this one stands for another process's.
    let holder = fs::File::open(&lock).unwrap();
    holder.try_lock().unwrap();

    let config = Config { timeout: ::config::Duration::from_millis(40), ..config(directory.path()) };
    let mut extension = FileStorage::new(config, &context());
    let error = extension.start().await.unwrap_err().to_string();
    assert!(error.contains("in use by process 4242"), "{error}");
    let error = extension.storage().unwrap().client(&context().key, "state").err().expect("refused");
    assert!(error.source.to_string().contains("in use"), "{error}");

    drop(holder);
    extension.start().await.unwrap();
}

#[tokio::test]
async fn two_extensions_of_one_process_share_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let context = context();
    let mut old = FileStorage::new(config(directory.path()), &context);
    let mut new = FileStorage::new(config(directory.path()), &context);
    old.start().await.unwrap();
    new.start().await.unwrap();
    let write = old.storage().unwrap().client(&context.key, "state").unwrap();
    write.set("x", b"1").unwrap();
    let read = new.storage().unwrap().client(&context.key, "state").unwrap();
    assert_eq!(read.get("x").unwrap().as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_missing_directory_is_an_error_unless_it_may_be_created() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let config = Config { create_directory: false, ..config(&directory) };
    let error = FileStorage::new(config.clone(), &context()).start().await.unwrap_err();
    assert!(error.to_string().contains("a/b"), "{error}");
    FileStorage::new(Config { create_directory: true, ..config }, &context()).start().await.unwrap();
    assert!(directory.is_dir());
}

#[test]
fn the_collectors_settings_are_understood() {
    let section = ::config::Section::from_json(
        "file_storage/all_settings",
        &json!({
            "directory": "/var/lib/otelcol/mydir", "timeout": "1s", "fsync": false, "create_directory": true,
            "compaction": {"on_start": true, "directory": "/tmp/", "max_transaction_size": 65_536},
        }),
    );
    let config: Config = section.parse().unwrap();
    assert!(config.compaction.on_start && !config.fsync);
    let wrong = ::config::Section::from_json("file_storage", &json!({"directory_permissions": "0999"}));
    assert!(wrong.parse::<Config>().unwrap_err().to_string().contains("octal"));
}
