/** What other programs may import from `etcdkit`. */
export type { LogFields, Logger, LogLevel } from './base/logger.js';
export { ETCD_VERSION, PACKAGE_VERSION } from './base/version.js';
export { Client } from './client/client.js';
export { EtcdError, GrpcCode, RpcError } from './proto/errors.js';
export { parseServerConfig } from './server/config/parse-server-config.js';
export type { ServerConfig } from './server/config/server-config.js';
export { type EtcdServer, type StartServerOptions, startServer } from './server/server.js';
