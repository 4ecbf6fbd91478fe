//! A block that another macro writes, its types, names and visibility handed in.
#![allow(unused)]

use dna::prelude::*;

macro_rules! actor {
    ($name:ident, $vis:vis, $argument:ident: $type:ty, $answer:ty, $path:path) => {
        struct $name;

        #[dna::actor(name = "written")]
        impl $name {
            async fn init(_: Context) -> dna::Result<Self> {
                Ok($name)
            }

            $vis async fn echo(&self, $argument: $type, other: $path) -> $answer {
                $crate::answer($argument)
            }
        }
    };
}

fn answer(text: String) -> Result<String, u32> {
    Ok(text)
}

actor!(Echo, pub, text: String, Result<String, u32>, std::collections::BTreeMap<u32, String>);

async fn calls(echo: EchoClient) {
    let answer: Result<String, dna::CallError<u32>> = echo.echo("literal", Default::default()).await;
}

fn main() {
    assert_eq!(Echo::KIND, "written");
}
