import { CommandFailure, ExitCode } from './exit.js';

/**
 * The value of `--peer-urls`, cut at its commas and otherwise as given; the server makes of it what
 * it compares (reference: cli 5.1).
 * @throws CommandFailure
 */
export async function peerUrlsArgument(text: string): Promise<string[]> {
  if (text === '') throw new CommandFailure(ExitCode.BadArguments, 'member peer urls not provided');
  const { parseMemberUrl } = await import('../server/config/urls.js');
  const urls = text.split(',');
  try {
    for (const url of urls) parseMemberUrl(url);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(ExitCode.Error, message);
  }
  return urls;
}
