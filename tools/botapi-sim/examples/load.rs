//! How many `sendMessage` a second the simulator takes, on this machine, client included.
//!
//! `cargo run --release -p botapi-sim --example load [connections] [messages]`

use std::time::Instant;

use anyhow::Context as _;
use botapi_sim::{Limits, Options, Sim};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let connections: usize = args.next().map_or(Ok(16), |arg| arg.parse())?;
    let messages: usize = args.next().map_or(Ok(200_000), |arg| arg.parse())?;
    let sim = Sim::start(Options { limits: Limits::off(), ..Options::default() }).await?;
    sim.flood(connections, connections, "hello");
    let start = Instant::now();
    let mut clients = Vec::new();
    for client in 0..connections {
        let address = sim.api_url().trim_start_matches("http://").to_owned();
        let body = format!(
            "{{\"chat_id\":{},\"text\":\"echo: hello\",\"reply_parameters\":{{\"message_id\":{}}}}}",
            1001 + client,
            sim.transcript(1001 + i64::try_from(client)?)[0].message_id
        );
        let request = format!(
            "POST /bot{}/sendMessage HTTP/1.1\r\nhost: {address}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            sim.token(),
            body.len()
        );
        clients.push(tokio::spawn(send(address, request, messages / connections)));
    }
    for client in clients {
        client.await??;
    }
    let seconds = start.elapsed().as_secs_f64();
    let sent = sim.bot_message_count();
    eprintln!(
        "{sent} messages in {seconds:.2} s: {:.0}/s",
        f64::from(u32::try_from(sent)?) / seconds
    );
    sim.stop().await;
    Ok(())
}

async fn send(address: String, request: String, count: usize) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; 16 << 10];
    for _ in 0..count {
        socket.write_all(request.as_bytes()).await?;
        let mut read = 0;
        loop {
            let more = socket.read(&mut buffer[read..]).await?;
            anyhow::ensure!(more > 0, "closed early");
            read += more;
            let text = std::str::from_utf8(&buffer[..read])?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{text}");
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .context("no content-length")?
                .parse()?;
            if body.len() >= length {
                break;
            }
        }
    }
    Ok(())
}
