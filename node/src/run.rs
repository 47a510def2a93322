//! Running a node: the folder opened, the listeners bound, the producer started; and all of it ended in order.

use crate::access::Tokens;
use crate::admin;
use crate::api::{self, Api};
use crate::clock::Clock;
use crate::config::Config;
use crate::folder::Folder;
use crate::guard::Guard;
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::keys::VALIDATOR;
use crate::metrics::Metrics;
use crate::modes;
use crate::pool::Bounds;
use crate::producer::{Producer, check_step};
use crate::serve::{Limits, listen, serve};
use crate::socket;
use crate::stop::Stop;
use crate::tls::Tls;
use crate::turns::{Share, Shares, Turns};
use crate::webhook::{Hooks, Sender};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tenor_runtime::chain::Replica;
use tenor_wire::block::Block;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

/// Bytes of stack of a thread that may run a contract.
const STACK_BYTES: usize = 8 * 1024 * 1024;
/// Threads that read for requests at the same time; so many of them for one customer, and with one token that is no
/// customer's.
const READERS: usize = 16;
const READERS_PER_CUSTOMER: usize = 4;
const READERS_PER_TOKEN: usize = 8;
/// Bytes of answers that wait to be sent beyond which nothing more is read, for one customer and with one other token.
const UNSENT_PER_CUSTOMER: usize = 16 * 1024 * 1024;
const UNSENT_PER_TOKEN: usize = 64 * 1024 * 1024;
/// Threads that may wait for the disk besides: for followers, webhooks and operators.
const OTHERS: usize = 8;
/// Connections of operators.
const ADMIN_CONNECTIONS: usize = 64;
/// Time in which requests are answered when the node stops.
const STOP: Duration = Duration::from_secs(5);

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// The operator's.
    pub admin: SocketAddr,
}

/// Begins to log on standard error.
///
/// # Errors
/// [`Stop::System`] when this process logs already.
pub fn log(config: &Config) -> Result<(), Stop> {
    let level: tracing::Level = config.log_level.parse().map_err(|_| Stop::Config("`log_level`".into()))?;
    let to = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false);
    let begun = match config.log_json {
        true => to.json().try_init(),
        false => to.with_ansi(false).try_init(),
    };
    begun.map_err(|error| Stop::System(error.to_string()))
}

/// Runs a node until it is told to stop by SIGTERM or SIGINT, or a reason of its own. `ready` is told where it listens.
///
/// # Errors
/// [`Stop`].
pub fn run(config: Config, ready: impl FnOnce(Addresses)) -> Result<(), Stop> {
    let system = |error: std::io::Error| Stop::System(error.to_string());
    crate::folder::raise_files();
    let runtime = Builder::new_multi_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(READERS + OTHERS)
        .thread_stack_size(STACK_BYTES)
        .thread_name("node")
        .build()
        .map_err(system)?;
    // Addresses first: a port that is taken is known at once, before a chain is opened.
    let listeners = runtime.block_on(async {
        Ok::<_, Stop>((
            listen("listen", config.listen).await?,
            listen("admin_listen", config.admin_listen).await?,
        ))
    })?;
    let at = |listener: &TcpListener| listener.local_addr().map_err(system);
    let addresses = Addresses { api: at(&listeners.0)?, admin: at(&listeners.1)? };
    let node = Node::open(config)?;
    node.run(&runtime, listeners, || ready(addresses))
}

/// What others than its owner may read in a data folder, or of the guard and the passphrases, is warned of; where they may write what says who may do what,
/// the node does not believe it.
fn believe<'p>(data: &Path, beside: impl Iterator<Item = &'p Path>) -> Result<(), Stop> {
    let failed = |error: anyhow::Error| Stop::Folder(format!("{error:#}"));
    let mut open = modes::open_to_others(data).map_err(failed)?;
    let beside = modes::beside_open_to_others(beside).map_err(failed)?;
    let inside = (!open.is_empty()).then_some(data).into_iter();
    let remedy = modes::remedy(inside.chain(beside.iter().map(|open| &*open.path)));
    open.extend(beside);
    let written = modes::names(data, open.iter().filter(|open| open.writable && open.believed));
    if !written.is_empty() {
        let why = format!("others than its owner may write {written}: look what is in it, then {remedy}");
        return Err(Stop::Folder(why));
    }
    if !open.is_empty() {
        let names = modes::names(data, open.iter());
        tracing::warn!("others than its owner may read or write {names}; {remedy}");
    }
    Ok(())
}

struct Node {
    api: Arc<Api>,
    producer: Producer,
    tls: Option<Tls>,
    config: Config,
}

impl Node {
    fn open(config: Config) -> Result<Node, Stop> {
        let folder =
            Folder::open(&config.data, config.room).map_err(|error| Stop::Folder(format!("{error:#}")))?;
        let folder = folder.keys_opened_by(config.passphrases.as_deref());
        let beside = config.guard.iter().chain(&config.passphrases).map(PathBuf::as_path);
        believe(&config.data, beside)?;
        let tokens = Tokens::of(&config.data).map_err(|error| Stop::Folder(format!("{error:#}")))?;
        let names = Folder::names_kept(&config.data).map_err(|error| Stop::Folder(format!("{error:#}")))?;
        let is_sandbox = folder.chain.genesis().parameters.sandbox;
        if config.sandbox && !is_sandbox {
            return Err(Stop::Config("`sandbox` is true, and the chain in the folder is none".into()));
        }
        let tip = folder.chain.tip();
        let newest = folder.chain.block(tip.height)?;
        let restart = newest.as_ref().and_then(Block::restart);
        let guard = match (&config.guard, is_sandbox) {
            (Some(path), _) => Some(Guard::open(path, tip, restart)?),
            (None, true) => None,
            (None, false) => return Err(Stop::Config("`guard` is needed: this chain is no sandbox".into())),
        };
        let clock = match config.sandbox {
            true => Clock::from(tip.time),
            false => Clock::system(),
        };
        let (clock, metrics) = (Arc::new(clock), Arc::new(Metrics::default()));
        let bounds = Bounds {
            transactions: config.pool_transactions,
            bytes: config.pool_bytes,
            per_sender: config.pool_per_sender,
        };
        let turns = Turns::new(Shares {
            readers: READERS,
            customer: Share {
                readers: READERS_PER_CUSTOMER,
                waiting: config.waiting_per_customer,
                unsent_bytes: UNSENT_PER_CUSTOMER,
            },
            token: Share {
                readers: READERS_PER_TOKEN,
                waiting: config.waiting_per_token,
                unsent_bytes: UNSENT_PER_TOKEN,
            },
        });
        let inbox = Arc::new(Inbox::new(bounds, Arc::clone(&metrics)));
        let now = clock.now();
        check_step(&folder.chain, now)?;
        if now < tip.time {
            let wait_s = config.clock_wait.as_secs();
            let why = format!(
                "the clock says {now}, the newest block is of {}: no block is made before its parent, and the clock is \
                 waited for {wait_s} s",
                tip.time
            );
            tracing::warn!("{why}");
            inbox.content().waits = Some(why);
        }
        let hub = Hub::of(&folder.chain, &config.data);
        let hub = Arc::new(hub.map_err(|error| Stop::Folder(format!("{error:#}")))?);
        let key = folder.keys.get(VALIDATOR).map_err(|error| Stop::Folder(format!("{error:#}")))?;
        let signs = folder.chain.genesis().validators.validators.first().map(|validator| validator.key);
        if signs != Some(key.public()) {
            return Err(Stop::Folder(
                "the key `validator` is not the one that signs this chain's blocks".into(),
            ));
        }
        metrics.height.set(tip.height as i64);
        metrics.block_time_seconds.set((tip.time.0 / 1000) as i64);
        metrics.measure_state(&folder.chain.state_memory());
        let opened = &folder.opened;
        if let Some(warning) = opened.warning() {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            height = tip.height,
            redone = opened.redone,
            rebuilt = opened.rebuilt,
            "the chain is open"
        );
        let tls = config.tls.as_ref().map(|(certificate, key)| {
            Tls::server(certificate, key, config.tls_clients.as_deref()).map_err(|error| {
                Stop::Config(format!("`tls_certificate`, `tls_key`, `tls_clients`: {error:#}"))
            })
        });
        let tls = tls.transpose()?;
        let sender = Sender::new(config.webhook_time, config.webhook_ca.as_deref());
        let sender = sender.map_err(|error| Stop::Config(format!("`webhook_ca`: {error:#}")))?;
        let hooks = Hooks::open(&config.data, config.webhooks);
        let hooks = Arc::new(hooks.map_err(|error| Stop::Folder(format!("{error:#}")))?);
        let api = Arc::new(Api {
            hooks,
            sender,
            forces: api::Forces::default(),
            hub: Arc::clone(&hub),
            inbox: Arc::clone(&inbox),
            clock: Arc::clone(&clock),
            names,
            tokens,
            metrics: Arc::clone(&metrics),
            turns: Arc::new(turns),
            followers: api::Followers::default(),
            stopping: watch::channel(false).0,
            config: config.clone(),
        });
        let producer = Producer::new(folder, (key, guard), (clock, inbox, hub), metrics, config.clone());
        Ok(Node { api, producer, tls, config })
    }

    fn run(
        self,
        runtime: &Runtime,
        (listener, admin_listener): (TcpListener, TcpListener),
        ready: impl FnOnce(),
    ) -> Result<(), Stop> {
        let Node { api, producer, tls, config } = self;
        let (ended, end) = oneshot::channel();
        let making = std::thread::Builder::new().name("producer".into()).stack_size(STACK_BYTES);
        let making = making.spawn(move || {
            // Who waits has gone only when the process ends.
            let _ = ended.send(producer.run());
        });
        let making = making.map_err(|error| Stop::System(error.to_string()))?;
        let limits =
            Limits { connections: config.connections, head: config.head, idle: config.idle, stop: STOP };
        let ran = runtime.block_on(async {
            let metrics = Arc::clone(&api.metrics);
            let serving = tokio::spawn(serve(
                listener,
                api::router(Arc::clone(&api)),
                (limits, tls),
                Arc::clone(&metrics),
                api.stopping.subscribe(),
            ));
            let admin_limits = Limits { connections: ADMIN_CONNECTIONS, ..limits };
            let watching = tokio::spawn(serve(
                admin_listener,
                admin::router(Arc::clone(&api)),
                (admin_limits, None),
                metrics,
                api.stopping.subscribe(),
            ));
            let mut terms = signals()?;
            api::tell_webhooks(&api);
            let socket = socket::listen(&config.data, Arc::clone(&api.inbox));
            let _socket = socket.inspect_err(
                |error| tracing::warn!(%error, "no socket in the folder: no backup while this runs"),
            );
            ready();
            tracing::info!("ready");
            let mut end = end;
            let ran = tokio::select! {
                ran = &mut end => ran,
                () = terms.come() => {
                    tracing::info!("stopping behind the block in the making");
                    api.inbox.stop();
                    end.await
                }
            };
            // The last answers go out while nothing new is taken.
            api.stopping.send_replace(true);
            let _ = tokio::join!(serving, watching);
            ran.unwrap_or_else(|_| Err(Stop::System("the producer panicked; the log says where".into())))
        });
        // It has sent what it came to.
        let _ = making.join();
        tracing::info!("stopped");
        ran
    }
}

struct Signals {
    term: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn signals() -> Result<Signals, Stop> {
    let on = |kind| signal(kind).map_err(|error| Stop::System(error.to_string()));
    Ok(Signals { term: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
}

impl Signals {
    async fn come(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
