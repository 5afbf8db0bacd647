import { etcdError } from '../../proto/errors.js';

const STANDARD_BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;

/**
 * What a user's row keeps of the password in a request: the bcrypt text that the member which took
 * the request made of it. Logs of 3.4 hold the password itself, which is hashed here and now.
 * @throws EtcdError NoPasswordUser for a hash that is no base64, as in etcd
 */
export function storedPassword(
  { name, password, hashedPassword }: { name: string; password: string; hashedPassword: string },
  hashPlainPassword: (username: string, password: string) => string,
): Buffer {
  if (password !== '' && hashedPassword === '') {
    return Buffer.from(hashPlainPassword(name, password));
  }
  // Go's decoder passes over line breaks.
  const text = hashedPassword.replaceAll(/[\r\n]/g, '');
  if (!STANDARD_BASE64.test(text)) throw etcdError('NoPasswordUser');
  return Buffer.from(text, 'base64');
}
