//! Whose a folder is, who has it, and who holds what lies in it.

use super::*;

#[test]
fn a_new_folder_is_its_owners_alone() -> Result<(), Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    let folder = DataFolder::open_or_create(&place.path().join("a/b"))?;
    assert!(folder.path().is_absolute());
    assert_eq!(folder.exposed_mode()?, 0);
    Ok(())
}

#[test]
fn a_second_hub_is_told_who_has_the_folder() -> Result<(), Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    let folder = DataFolder::open(place.path())?;
    assert_eq!(folder.running_hub()?, None);
    let held = folder.lock()?;
    assert_eq!(folder.running_hub()?, Some(format!("pid {}", std::process::id())));
    let refusal = folder.lock().unwrap_err().to_string();
    assert!(refusal.contains(&format!("another hub (pid {})", std::process::id())), "{refusal}");
    drop(held);
    folder.lock()?;
    Ok(())
}

#[test]
fn who_holds_the_history_needs_no_file() -> Result<(), Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    let (hub, export) = (DataFolder::open(place.path())?, DataFolder::open(place.path())?);
    let held = (export.hold()?, export.hold()?);
    assert!(hub.try_hold_alone()?.is_none());
    drop(held);
    let alone = hub.try_hold_alone()?;
    assert!(alone.is_some() && export.try_hold_alone()?.is_none());
    drop(alone);
    assert!(list(place.path())?.is_empty(), "nothing that is somebody's");
    // What an older version left cannot be opened: it may be root's. A folder stands for it, root opens any file.
    fs::create_dir(place.path().join("history.hold"))?;
    assert!(hub.try_hold_alone()?.is_some());
    Ok(())
}

#[test]
fn a_file_is_no_folder() -> Result<(), Box<dyn std::error::Error>> {
    let file = tempfile::NamedTempFile::new()?;
    assert!(DataFolder::open(file.path()).unwrap_err().to_string().contains("is no folder"));
    assert!(DataFolder::open_or_create(&file.path().join("below")).is_err());
    Ok(())
}
