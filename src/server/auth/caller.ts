/**
 * Who asks for something, and the revision of the auth store that this was established at. It
 * travels in the header of log entries, so that every member judges the same.
 */
export interface Caller {
  /** Empty: nobody in particular. */
  readonly username: string;
  /** 0: nobody in particular. */
  readonly authRevision: number;
}

/** Whoever shows no credentials; everybody, while authentication is off. */
export const ANONYMOUS: Caller = { username: '', authRevision: 0 };

/** The user and the role that may do everything. */
export const ROOT = 'root';
