//! A shopping cart that survives `kill -9`: `cargo run --release --example quickstart`.
//!
//! The example starts itself once more as a child process, has the child put something into a cart, kills it right
//! behind the `Ok`, and looks into the cart.
#![allow(clippy::print_stdout, reason = "it shows what it does")]

use std::{
    env,
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use dna::prelude::*;

struct Cart {
    lines: Kv<String, u32>, // durable
}

#[dna::actor]
impl Cart {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Cart { lines: ctx.open("lines")? })
    }

    /// Puts `count` pieces of `sku` into the cart.
    pub async fn put(&mut self, sku: String, count: u32) {
        self.lines.put(sku, count);
    }

    /// How many pieces of `sku` are in the cart.
    pub async fn get(&self, sku: String) -> dna::Result<Option<u32>> {
        self.lines.get(&sku).await
    }
}

#[tokio::main]
async fn main() -> dna::Result<()> {
    let mut arguments = env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(step), Some(path)) if step == "child" => child(Path::new(&path)).await,
        _ => parent().await,
    }
}

/// Puts three apples into a cart, says so, and waits to be killed.
async fn child(path: &Path) -> dna::Result<()> {
    let _node = Node::builder().store(Embedded::open(path)?).actor::<Cart>().start().await?;
    let cart = Cart::client("alice");
    cart.put("apple", 3).await?; // Ok = durable
    println!("put(\"apple\", 3) -> Ok");
    io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

async fn parent() -> dna::Result<()> {
    let folder = env::temp_dir().join(format!("dna-quickstart-{}", std::process::id()));
    let path = folder.join("cart.dna");
    std::fs::create_dir_all(&folder)?;
    println!("1. A process opens the store {} and puts three apples into alice's cart.", path.display());
    let mut child = Command::new(env::current_exe()?)
        .arg("child")
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    println!("   It says: {}", said.trim_end());

    println!("2. It is killed at once with SIGKILL: no flush, no shutdown, no destructor runs.");
    child.kill()?;
    child.wait()?;

    println!("3. This process opens the same store and starts a node on it.");
    let node = Node::builder().store(Embedded::open(&path)?).actor::<Cart>().start().await?;
    let cart = Cart::client("alice");
    let apples = cart.get("apple").await?;
    println!("   get(\"apple\") -> {apples:?}");

    println!("4. A cast is one-way: it is enqueued, and persisted with a later batch.");
    cart.put("pear", 1).cast().await?;
    println!("   get(\"pear\") -> {:?}", cart.get("pear").await?);

    println!("5. A shutdown finishes what was accepted; another node finds all of it.");
    node.shutdown().await?;
    let node = Node::builder().store(Embedded::open(&path)?).actor::<Cart>().start().await?;
    let cart = Cart::client("alice");
    let (again, pears) = (cart.get("apple").await?, cart.get("pear").await?);
    println!("   get(\"apple\") -> {again:?}, get(\"pear\") -> {pears:?}");
    node.shutdown().await?;
    std::fs::remove_dir_all(&folder)?;

    if (apples, again, pears) == (Some(3), Some(3), Some(1)) {
        println!("Everything that was answered Ok is there.");
        Ok(())
    } else {
        Err(dna::Error::new("something that was answered Ok is missing"))
    }
}
