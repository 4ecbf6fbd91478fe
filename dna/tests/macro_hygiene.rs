//! The expansion keeps to itself: no prelude, other names for the crate, names that shadow everything it needs.
#![no_implicit_prelude]
#![allow(dead_code, non_camel_case_types, unreachable_pub, clippy::assertions_on_constants, clippy::non_minimal_cfg)]

extern crate dna as renamed;

/// Nothing but absolute paths is of use here.
mod shadowed {
    /// Shadows `dna` for relative paths.
    mod dna {}
    /// Shadows `core`.
    mod core {}
    /// Shadows `std`.
    mod std {}
    /// Shadows `serde`.
    mod serde {}

    use ::std::{clone::Clone, string::ToString};

    /// Not the usual one.
    #[derive(::serde::Serialize, ::serde::Deserialize, Clone)]
    pub struct Option;
    /// Not the usual one.
    #[derive(::serde::Serialize, ::serde::Deserialize, Clone)]
    pub struct Box;
    /// Not the usual one.
    #[derive(::serde::Serialize, ::serde::Deserialize, Clone)]
    pub struct String(::std::string::String);
    impl ::std::convert::From<&str> for String {
        fn from(text: &str) -> Self {
            String(text.to_string())
        }
    }
    /// Not the usual one.
    #[derive(::serde::Serialize, ::serde::Deserialize, Clone)]
    pub enum Result {
        /// A variant that is not the usual one either.
        Err(u32),
    }
    /// Not the usual one.
    #[derive(::serde::Serialize, ::serde::Deserialize, Clone)]
    pub struct Call;
    /// Not the usual one.
    #[derive(::serde::Serialize, ::serde::Deserialize, Clone)]
    pub struct Client;
    /// Not the usual one.
    pub trait Send {}
    /// Not the usual one.
    pub trait Into {}
    /// Not the usual one.
    pub trait Serialize {}

    /// An actor whose every word is taken.
    pub struct Actor {
        kept: String,
    }

    #[::dna::actor]
    impl Actor {
        fn init(context: ::dna::Context<Self>) -> ::dna::Result<Self> {
            let _ = context;
            ::std::result::Result::Ok(Actor { kept: ::std::convert::Into::into("") })
        }

        /// Named like the macro's words.
        pub fn r#type(&mut self, r#match: String, message: Box, reply: Option, answer: u32, client: Client) -> Call {
            self.kept = r#match;
            let _ = (message, reply, answer, client);
            Call
        }

        /// Named like a method of the trait, with another shape.
        pub fn handle(&self, name: String) -> String {
            let _ = &self.kept;
            name
        }

        /// Named like a method of the trait, with another shape.
        pub fn access(&self) {}

        /// Named like a method of the trait, with another shape.
        pub async fn handle_mut(&mut self, options: Option, context: Box) -> Option {
            let _ = context;
            options
        }

        /// Answers the user's own `Result`, which is none.
        #[dna(plain)]
        pub fn result(&self) -> Result {
            Result::Err(1)
        }

        /// Answers the real one.
        pub fn real(&self) -> ::std::result::Result<Box, Option> {
            ::std::result::Result::Err(Option)
        }

        /// Named like what clients can do.
        pub fn name(&self) -> u32 {
            1
        }

        /// Named like what clients can do.
        #[allow(clippy::should_implement_trait)]
        pub fn clone(&self) -> u32 {
            1
        }

        /// Named like what clients can do.
        pub fn timeout(&self, duration: u64) -> u64 {
            duration
        }

        fn options(&self) {}

        fn after_persist(&self) {
            self.options();
        }
    }

    /// Not run: that the message called `name` is the message.
    pub async fn calls(client: ActorClient) -> ::dna::Result<u32> {
        let name = client.name().await?;
        let named = ::std::convert::AsRef::<::dna::Client<Actor>>::as_ref(&client).name();
        ::std::assert_eq!(named, "");
        client.handle("literal").await?;
        ::std::result::Result::Ok(name + client.clone().await?)
    }
}

/// Under another name of the crate, by path and by string, and below one of the crate's own modules.
mod elsewhere {
    /// The crate, where a façade of the user's own has it.
    pub mod deep {
        pub use ::dna as durable;
    }

    macro_rules! counter {
        ($type:ident, $visibility:vis, $($option:tt)*) => {
            /// Counts.
            $visibility struct $type(u32);

            #[::renamed::actor($($option)*)]
            impl $type {
                async fn init(_: ::renamed::Context<$type>) -> ::renamed::Result<Self> {
                    ::std::result::Result::Ok($type(0))
                }

                /// Adds.
                pub async fn add(&mut self, amount: u32) -> ::renamed::Result<u32> {
                    self.0 += amount;
                    ::std::result::Result::Ok(self.0)
                }
            }
        };
    }

    counter!(ByName, pub, crate = ::renamed);
    counter!(ByPath, pub, crate = crate::elsewhere::deep::durable,);
    counter!(ByString, pub, crate = "::renamed", name = "by-string");
    counter!(Hidden, pub(crate), vis = pub(crate), crate = ::dna);
    counter!(HiddenString, pub(super), vis = "pub(super)");
    counter!(Private, , vis = pub(self));
    counter!(r#type, pub(crate), );
}

/// `#[cfg]` takes a method out of everything, or puts one of two in.
mod conditional {
    /// Counts where it may.
    pub struct Counter(u32);

    #[::dna::actor]
    impl Counter {
        #[cfg(any())]
        async fn init(_: NoSuchType) -> no::Result<Self> {}

        #[cfg(all())]
        async fn init(_: ::dna::Context<Self>) -> ::dna::Result<Self> {
            ::std::result::Result::Ok(Counter(0))
        }

        /// Is not there.
        #[cfg(any())]
        pub fn gone(&mut self, argument: NoSuchType) -> NoSuchType {}

        /// Is not there either.
        #[cfg_attr(all(), cfg(any()))]
        pub fn gone_too(&mut self, argument: NoSuchType) -> NoSuchType {}

        /// One of two.
        #[cfg(any())]
        pub fn either(&self, argument: NoSuchType) -> NoSuchType {}

        /// The other of two.
        #[cfg(all())]
        #[cfg_attr(all(), doc = "There.")]
        pub fn either(&self) -> u32 {
            self.0
        }

        #[cfg(any())]
        fn handle_events(&mut self, events: ::dna::Events<Self>) -> ::dna::Result<()> {}

        #[cfg(all())]
        async fn on_stop(&mut self) {}
    }

    /// An actor that is not there at all.
    #[cfg(any())]
    pub struct Absent;

    #[::dna::actor]
    #[cfg(any())]
    impl Absent {
        async fn init(_: NoSuchType) -> no::Result<Self> {}
        /// Is not there.
        pub fn gone(&mut self, argument: NoSuchType) -> NoSuchType {}
    }
}

#[::std::prelude::v1::test]
fn a_cfg_removes_the_method_everywhere() {
    ::std::assert!(!<conditional::Counter as ::dna::Actor>::OPTIONS.handle_events);
    let message = conditional::CounterMessage::Either;
    let conditional::CounterMessage::Either = message;
}

#[::std::prelude::v1::test]
fn a_raw_type_has_plain_names() {
    ::std::assert_eq!(<elsewhere::r#type as ::dna::Actor>::KIND, "type");
    ::std::assert_eq!(<elsewhere::ByString as ::dna::Actor>::KIND, "by-string");
}
