//! Loads a configuration whose policy file has these bytes.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use snaprotate_fuzz::Folder;

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

fuzz_target!(|data: &[u8]| FOLDER.check("policies.d/web.toml", data));
