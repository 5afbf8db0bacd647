import { quoteGo } from '../../base/go-format.js';

/** Go's words for a method that is not served. */
export function unknownMethod(path: string, services: ReadonlySet<string>): string {
  const slash = path.lastIndexOf('/');
  if (!path.startsWith('/') || slash === 0) return `malformed method name: ${quoteGo(path)}`;
  const service = path.slice(1, slash);
  return services.has(service)
    ? `unknown method ${path.slice(slash + 1)} for service ${service}`
    : `unknown service ${service}`;
}
