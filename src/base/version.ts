/** The etcd whose behaviour, formats and protocol we have. Servers and drop-in names report it. */
export const ETCD_VERSION = '3.7.1';

/** Major and minor version of the API, as clients send it and servers report it. */
export const API_VERSION = '3.7';

/** The version of this package; a test keeps it equal to package.json. */
export const PACKAGE_VERSION = '0.1.0';
