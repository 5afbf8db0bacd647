import type { RequestListener } from 'node:http';
import type { Logger } from '../base/logger.js';
import { ETCD_VERSION } from '../base/version.js';
import { etcdError } from '../proto/errors.js';
import { type AuditLog, openAuditLog } from './audit/open-audit-log.js';
import { noTokens } from './auth/no-tokens.js';
import { plainPasswordHasher } from './auth/plain-password.js';
import { createTokenProvider } from './auth/token-options.js';
import type { TokenProvider } from './auth/token-provider.js';
import { type BackgroundJob, backgroundJobs } from './background-jobs.js';
import { makeDurableDirectory, memberDirectories } from './bootstrap/directories.js';
import { type OpenedMember, openMember } from './bootstrap/open-member.js';
import type { ConnectDiscovery } from './bootstrap/v3-discovery.js';
import type { ServerConfig } from './config/server-config.js';
import { CorruptionChecker } from './corruption/corruption-checker.js';
import { createClientHandler, createMetricsHandler } from './http/http-handler.js';
import { PortMultiplexer } from './http/port-multiplexer.js';
import { httpOptions, versionSource } from './http-options.js';
import {
  bindListeners,
  isSecure,
  type ListenerGroup,
  prepareTls,
  watchedFiles,
} from './listeners.js';
import { type LocalMember, MemberRemovedError } from './local-member.js';
import { initialCluster, memberSettings, startFields } from './member-config.js';
import { MembershipAdmin } from './membership/membership-admin.js';
import { partMetrics, promotionMetrics } from './metrics/part-metrics.js';
import { createRpcMetrics } from './metrics/rpc-metrics.js';
import { createServerMetrics, type ServerMetrics } from './metrics/server-metrics.js';
import { PeerSide } from './peer-side.js';
import { nodePlatform, type ServerPlatform } from './platform.js';
import { publish } from './publish.js';
import {
  clientVersionCheck,
  guardedMethods,
  requireLeaderCheck,
  requiresLeader,
} from './rpc/checks.js';
import { createTransport, type TransportKind } from './rpc/create-transport.js';
import { guardLearner } from './rpc/learner-guard.js';
import { OpenStreams } from './rpc/open-streams.js';
import { clientServices, MESSAGE_OVERHEAD_BYTES, newCallers } from './rpc/services.js';
import type { RpcTransport } from './rpc/transport.js';
import type { Http2Listener } from './rpc/transport-options.js';
import { ExpiryWatch } from './tls/expiry-watch.js';
import { VersionMonitor } from './version-monitor.js';

export interface StartServerOptions {
  readonly config: ServerConfig;
  readonly logger: Logger;
  readonly platform?: ServerPlatform;
  /** Version of the run time, for the metrics: `node20.20.2`. */
  readonly runtimeVersion: string;
  /** Where `--audit-log=-` goes; absent: that is an error. */
  readonly stdout?: (text: string) => void;
  /** What serves calls; default: our own HTTP/2. */
  readonly transport?: TransportKind;
  /** Opens the discovery service; absent: none can be used. */
  readonly connectDiscovery?: ConnectDiscovery;
  /** The running server can't go on; it has stopped serving when this is called. */
  readonly onFatal: (error: unknown) => void;
}

/** A server that serves. */
export interface EtcdServer {
  readonly member: LocalMember;
  /** `host:port` of each client listener, with the real ports. */
  readonly clientAddresses: readonly string[];
  /** `host:port` of each metrics listener. */
  readonly metricsAddresses: readonly string[];
  /** Stops serving, then the member; all that was acknowledged is on disk when it resolves. */
  stop(): Promise<void>;
}

/**
 * Starts a server: binds its listeners, opens the data directory, joins the cluster, and serves
 * once it is known there (reference: server 2.1).
 * @throws ListenError, DirectoryLockedError, DataDirectoryError, WalError, BackendOpenError, or an
 *   Error with etcd's text; nothing is left running then
 */
export async function startServer(options: StartServerOptions): Promise<EtcdServer> {
  const server = new Server(options);
  try {
    await server.start();
  } catch (error) {
    // What made the member end says more than that it is stopped.
    const cause = server.failure?.error ?? error;
    await server.stop().catch((stopError: unknown) => {
      options.logger.error('failed to stop after a failed start', { error: String(stopError) });
    });
    throw cause;
  }
  return server;
}

/** The composition root: the one place that builds the parts of a server and joins them. */
class Server implements EtcdServer {
  readonly #config: ServerConfig;
  readonly #logger: Logger;
  readonly #platform: ServerPlatform;
  readonly #onFatal: (error: unknown) => void;
  readonly #stdout: ((text: string) => void) | undefined;
  readonly #connectDiscovery: ConnectDiscovery | undefined;
  readonly #metrics: ServerMetrics;
  readonly #clients: PortMultiplexer;
  /** HTTP alone, where --listen-client-http-urls asks for it. */
  readonly #clientHttp: PortMultiplexer;
  readonly #peers: PortMultiplexer;
  readonly #metricsListeners: PortMultiplexer;
  readonly #streams = new OpenStreams();
  readonly #leaderStreams = new OpenStreams(requiresLeader);
  #jobs: readonly BackgroundJob[] = [];
  #versions: VersionMonitor | undefined;
  #certificates: ExpiryWatch | undefined;
  readonly #transportKind: TransportKind;
  #transport: RpcTransport | undefined;
  #opened: OpenedMember | undefined;
  #membership: MembershipAdmin | undefined;
  #peerSide: PeerSide | undefined;
  #tokens: TokenProvider = noTokens;
  #unlock: (() => Promise<void>) | undefined;
  #audit: AuditLog | undefined;
  #clientHandler: RequestListener | undefined;
  #metricsHandler: RequestListener | undefined;
  #clientAddresses: string[] = [];
  #metricsAddresses: string[] = [];
  #stopping: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: StartServerOptions) {
    const { config, logger, platform = nodePlatform, runtimeVersion, onFatal } = options;
    this.#config = config;
    this.#logger = logger.at('server/server.ts');
    this.#platform = platform;
    this.#onFatal = onFatal;
    this.#stdout = options.stdout;
    this.#connectDiscovery = options.connectDiscovery;
    this.#transportKind = options.transport ?? 'http2';
    this.#metrics = createServerMetrics({
      serverVersion: ETCD_VERSION,
      runtimeVersion,
      features: config.features,
    });
    const { clock } = platform;
    // Listeners are bound before there is a member; connections wait until it serves.
    const rpc: RpcTransport = {
      accept: (socket) => this.#transport?.accept(socket),
      close: async (graceMillis) => this.#transport?.close(graceMillis),
    };
    const http: RequestListener = (request, response) => this.#clientHandler?.(request, response);
    const isShared = config.listenClientHttpUrls.length === 0;
    this.#clients = new PortMultiplexer({ clock, logger, rpc, ...(isShared ? { http } : {}) });
    this.#clientHttp = new PortMultiplexer({ clock, logger, http });
    this.#peers = new PortMultiplexer({
      clock,
      logger,
      http: (request, response) => this.#peerSide?.handle(request, response),
      idleMillis: config.raftReadTimeoutMillis,
    });
    this.#metricsListeners = new PortMultiplexer({
      clock,
      logger,
      http: (request, response) => this.#metricsHandler?.(request, response),
    });
  }

  get member(): LocalMember {
    if (this.#opened === undefined) throw new Error('the server is not started');
    return this.#opened.member;
  }

  /** Why the member could not go on, once it could not. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  get clientAddresses(): readonly string[] {
    return this.#clientAddresses;
  }

  get metricsAddresses(): readonly string[] {
    return this.#metricsAddresses;
  }

  async start(): Promise<void> {
    await this.#listen();
    // Peers that start at the same time are told to come again, instead of waiting for an answer.
    this.#peers.start();
    await this.#open();
    const { member } = this;
    if (this.#failure !== undefined) {
      // The stop that the failure began may have been over before there was a member to stop.
      await member.stop();
      throw this.#failure.error;
    }
    await this.#checkKeys(member);
    this.#beginPeers(member);
    member.start();
    for (const job of this.#jobs) job.start();
    this.#certificates?.start();
    await publish(
      member,
      {
        name: this.#config.name,
        clientUrls: this.#advertisedClientUrls(),
      },
      this.#logger,
      this.#versions,
    );
    this.#serve();
  }

  /** What a member that was away holds must be what the others hold. */
  async #checkKeys(member: LocalMember): Promise<void> {
    const isAsked = this.#config.features.InitialCorruptCheck;
    if (!isAsked || this.#opened?.isRestart !== true) return;
    try {
      await new CorruptionChecker(member, this.#logger).initialCheck();
    } catch (error) {
      this.#logger.error('checkInitialHashKV failed', {
        error: error instanceof Error ? error.message : String(error),
      });
      throw error;
    }
  }

  /** Peers are served before clients: only with them does the cluster elect and apply. */
  #beginPeers(member: LocalMember): void {
    const membership = new MembershipAdmin({
      member,
      isStrict: this.#config.strictReconfigCheck,
      metrics: promotionMetrics(this.#metrics),
    });
    this.#membership = membership;
    this.#peerSide?.serve({
      member,
      membership,
      versions: versionSource(member),
      callers: newCallers({
        member,
        tokens: this.#tokens,
        clock: this.#platform.clock,
        trustsCertificates: false,
      }),
    });
  }

  /** A URL with port 0 was bound to a port that only the listener knows. */
  #advertisedClientUrls(): string[] {
    return this.#config.advertiseClientUrls.map(({ text, scheme }, position) => {
      const address = this.#clientAddresses[position];
      return text.endsWith(':0') && address !== undefined ? `${scheme}://${address}` : text;
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #listen(): Promise<void> {
    const config = this.#config;
    const tls = await prepareTls(config, this.#platform, this.#logger);
    this.#certificates = new ExpiryWatch({
      files: watchedFiles(tls),
      clock: this.#platform.clock,
      logger: this.#logger,
      notAfter: this.#metrics.tls.notAfter,
    });
    this.#peerSide = new PeerSide({
      config,
      platform: this.#platform,
      logger: this.#logger,
      metrics: this.#metrics,
      tls: tls.peer,
    });
    const bind = (group: Omit<ListenerGroup, 'logger' | 'settings'>): Promise<string[]> => {
      const settings = group.kind === 'peer' ? config.peerTls : config.clientTls;
      return bindListeners({ ...group, settings, logger: this.#logger });
    };
    await bind({
      kind: 'peer',
      multiplexer: this.#peers,
      urls: config.listenPeerUrls,
      tls: tls.peer,
    });
    this.#clientAddresses = await bind({
      kind: 'client',
      multiplexer: this.#clients,
      urls: config.listenClientUrls,
      tls: tls.client,
    });
    await bind({
      kind: 'client',
      multiplexer: this.#clientHttp,
      urls: config.listenClientHttpUrls,
      tls: tls.client,
    });
    this.#metricsAddresses = await bind({
      kind: 'metrics',
      multiplexer: this.#metricsListeners,
      urls: config.listenMetricsUrls,
      tls: tls.metrics,
    });
  }

  async #open(): Promise<void> {
    const { fs, clock, random, passwordHasher } = this.#platform;
    const config = this.#config;
    const peers = this.#peerSide;
    if (peers === undefined) throw new Error('there are no listeners yet');
    this.#tokens = await createTokenProvider({
      text: config.authToken,
      simpleTtlSeconds: config.authTokenTtlSeconds,
      clock,
      random,
      logger: this.#logger,
      readFile: this.#platform.readConfigFile,
    });
    const directories = memberDirectories(config.dataDir, config.walDir ?? '');
    await makeDurableDirectory(fs, directories.member);
    this.#unlock = await this.#platform.lockDirectory(directories.member);
    this.#audit = await openAuditLog({
      config: config.audit,
      fs,
      clock,
      logger: this.#logger,
      metrics: this.#metrics.audit,
      thread: this.#platform.workerProgram('server/audit/audit-worker.js'),
      stdout: this.#stdout,
      timeoutMillis: config.requestTimeoutMillis,
    });
    this.#opened = await openMember({
      fs,
      clock,
      random,
      logger: this.#logger,
      directories,
      initialCluster: initialCluster(config),
      forcesNewCluster: config.forceNewCluster,
      connectDiscovery: this.#connectDiscovery,
      settings: memberSettings(config),
      auth: {
        tokens: this.#tokens,
        hashPlainPassword: plainPasswordHasher(passwordHasher, config.bcryptCost),
      },
      openBackend: (onFatal) =>
        this.#platform.openBackend({
          directory: directories.snap,
          batchIntervalMillis: config.backendBatchMillis,
          batchLimit: config.backendBatchLimit,
          unsafeNoFsync: config.unsafeNoFsync,
          metrics: this.#metrics.backend,
          logger: this.#logger,
          onFatal,
        }),
      createTransport: peers.createTransport,
      calls: peers.calls,
      metrics: partMetrics(this.#metrics),
      onFatal: (error) => this.#fail(error),
    });
    const { member, isRestart } = this.#opened;
    this.#logger.info(
      'starting an etcd server',
      startFields(config, member, directories.wal, isRestart),
    );
    const versions = new VersionMonitor({
      member,
      logger: this.#logger,
      downgradeCheckMillis: config.downgradeCheckMillis,
    });
    this.#versions = versions;
    this.#jobs = backgroundJobs({
      config,
      platform: this.#platform,
      logger: this.#logger,
      member,
      directories,
      leaderStreams: this.#leaderStreams,
      versions,
    });
  }

  #serve(): void {
    const config = this.#config;
    const { member } = this;
    const { clock, random } = this.#platform;
    const membership = this.#membership;
    if (this.#opened === undefined || membership === undefined) {
      throw new Error('there is no member to serve');
    }
    const methods = clientServices({
      member,
      membership,
      watches: this.#opened.watches,
      clock,
      random,
      maxTxnOps: config.maxTxnOps,
      maxRequestBytes: config.maxRequestBytes,
      watchProgressMillis: config.watchProgressNotifyMillis,
      streams: this.#streams,
      logger: this.#logger,
      tokens: this.#tokens,
      passwordHasher: this.#platform.passwordHasher,
      bcryptCost: config.bcryptCost,
      trustsCertificates: config.clientTls.clientCertAuth,
    });
    const tracked = this.#leaderStreams.track(guardLearner(methods, member));
    const checks = [clientVersionCheck, requireLeaderCheck(member)];
    const handler = httpOptions(member, this.#metrics, config, this.#logger);
    const clientHandler = createClientHandler(handler);
    this.#clientHandler = clientHandler;
    this.#transport = createTransport(this.#transportKind, {
      methods:
        this.#audit === undefined ? tracked : this.#audit.track(guardedMethods(tracked, checks)),
      clock,
      maxReceiveBytes: config.maxRequestBytes + MESSAGE_OVERHEAD_BYTES,
      maxConcurrentStreams: config.maxConcurrentStreams,
      keepAlive: config.keepAlive,
      checks: this.#audit === undefined ? checks : [],
      observer: createRpcMetrics({
        metrics: this.#metrics,
        clock,
        extensive: config.metrics === 'extensive',
      }),
      // Node's HTTP/2 requests and responses have all that our handlers use of those of HTTP/1.
      ...(config.listenClientHttpUrls.length === 0
        ? { http: clientHandler as unknown as Http2Listener }
        : {}),
    });
    this.#metricsHandler = createMetricsHandler(handler);
    for (const multiplexer of this.#multiplexers) multiplexer.start();
    this.#logger.info('ready to serve client requests');
    this.#logTraffic();
  }

  #logTraffic(): void {
    const { listenClientUrls, listenClientHttpUrls } = this.#config;
    const traffic = listenClientHttpUrls.length === 0 ? 'grpc+http' : 'grpc';
    for (const [position, url] of listenClientUrls.entries()) {
      this.#logger.info(
        isSecure(url)
          ? 'serving client traffic securely'
          : 'serving client traffic insecurely; this is strongly discouraged!',
        { traffic, address: this.#clientAddresses[position] },
      );
    }
  }

  get #multiplexers(): readonly PortMultiplexer[] {
    return [this.#peers, this.#clients, this.#clientHttp, this.#metricsListeners];
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof MemberRemovedError) {
      this.#logger.warn('server error', { error: message });
      this.#logger.warn('data-dir used by this member must be removed');
    } else {
      this.#logger.error('the member cannot go on', { error: message });
    }
    this.stop().then(
      () => this.#onFatal(error),
      () => this.#onFatal(error),
    );
  }

  async #stop(): Promise<void> {
    const grace = this.#config.requestTimeoutMillis;
    if (this.#failure === undefined) await this.#opened?.member.handOver();
    this.#opened?.watches.close();
    this.#streams.endAll(etcdError('Stopped'));
    try {
      await Promise.all([
        this.#clients.close(grace),
        this.#clientHttp.close(grace),
        this.#metricsListeners.close(0),
      ]);
      for (const job of this.#jobs) await job.stop();
      await this.#certificates?.stop();
    } finally {
      try {
        await this.#opened?.member.stop();
      } finally {
        await this.#peerSide?.close();
        await this.#peers.close(0);
        await this.#audit?.close().catch((error: unknown) => {
          this.#logger.error('failed to close the audit log', { error: String(error) });
        });
        await this.#unlock?.();
      }
    }
    this.#logger.info('closed etcd server', { name: this.#config.name });
  }
}
