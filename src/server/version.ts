/** The etcd release whose behaviour and wire protocol this server has. */
export const SERVER_VERSION = '3.7.1';

/** The cluster version that a new cluster of such servers agrees on: major.minor.0. */
export const CLUSTER_VERSION = '3.7.0';
