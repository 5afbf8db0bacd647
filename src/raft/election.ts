import type { RaftCore } from './core.js';
import {
  EntryType,
  idText,
  type Message,
  MessageType,
  messageTypeName,
  NONE,
  newMessage,
  Role,
} from './types.js';

/** Why a member campaigns: to find out if it could win, to win, or because it was asked to lead. */
export type CampaignType = 'pre-election' | 'election' | 'transfer';

/** Marks vote requests that must not be refused for the sake of a living leader. */
const TRANSFER_CONTEXT = Buffer.from('CampaignTransfer');

/** Starts a campaign if this member may lead. */
export function startCampaign(core: RaftCore, type: CampaignType): void {
  const self = idText(core.id);
  if (core.role === Role.Leader) {
    core.logger.debug(`${self} ignoring MsgHup because already leader`);
    return;
  }
  if (!core.isPromotable()) {
    core.logger.warn(`${self} is unpromotable and can not campaign`);
    return;
  }
  if (hasUnappliedConfChange(core)) {
    core.logger.warn(
      `${self} cannot campaign at term ${core.term} since there are still pending configuration ` +
        'changes to apply',
    );
    return;
  }
  core.logger.info(`${self} is starting a new election at term ${core.term}`);
  campaign(core, type);
}

/** Whether a committed configuration change waits to be applied: its voters are not known yet. */
function hasUnappliedConfChange(core: RaftCore): boolean {
  const { log } = core;
  let low = Math.max(log.applied + 1, log.firstIndex());
  while (low <= log.committed) {
    const page = log.slice(low, log.committed + 1, core.config.maxCommittedSizePerReady);
    if (page.some((entry) => entry.type !== EntryType.Normal)) return true;
    low += page.length;
  }
  return false;
}

export function campaign(core: RaftCore, type: CampaignType): void {
  let term: number;
  let request: MessageType;
  if (type === 'pre-election') {
    core.becomePreCandidate();
    request = MessageType.PreVote;
    // Votes are asked for the term that a real campaign would have.
    term = core.term + 1;
  } else {
    core.becomeCandidate();
    request = MessageType.Vote;
    term = core.term;
  }
  const lastTerm = core.log.lastTerm();
  const lastIndex = core.log.lastIndex();
  for (const id of core.tracker.config.voters.ids) {
    if (id === core.id) {
      // The own vote counts, like any other, only once it is durable.
      sendVoteResponse(core, id, request, term, false);
      continue;
    }
    core.logger.info(
      `${idText(core.id)} [logterm: ${lastTerm}, index: ${lastIndex}] sent ` +
        `${messageTypeName(request)} request to ${idText(id)} at term ${core.term}`,
    );
    const message = newMessage(request, id);
    message.term = term;
    message.index = lastIndex;
    message.logTerm = lastTerm;
    if (type === 'transfer') message.context = TRANSFER_CONTEXT;
    core.send(message);
  }
}

function sendVoteResponse(
  core: RaftCore,
  to: bigint,
  request: MessageType,
  term: number,
  reject: boolean,
): void {
  const type = request === MessageType.Vote ? MessageType.VoteResp : MessageType.PreVoteResp;
  const message = newMessage(type, to);
  message.term = term;
  message.reject = reject;
  core.send(message);
}

function logVoteDecision(core: RaftCore, request: Message, verb: string, suffix = ''): void {
  core.logger.info(
    `${idText(core.id)} [logterm: ${core.log.lastTerm()}, index: ${core.log.lastIndex()}, ` +
      `vote: ${idText(core.vote)}] ${verb} ${idText(request.from)} ` +
      `[logterm: ${request.logTerm}, index: ${request.index}] at term ${core.term}${suffix}`,
  );
}

/**
 * Whether a vote request of a higher term is to be ignored because the leader was heard of within
 * the election timeout: a member that was cut off must not depose a leader that works.
 */
export function ignoresVoteRequest(core: RaftCore, request: Message): boolean {
  if (request.type !== MessageType.Vote && request.type !== MessageType.PreVote) return false;
  const { electionTick, checkQuorum } = core.config;
  const inLease = checkQuorum && core.lead !== NONE && core.electionElapsed < electionTick;
  if (!inLease || request.context.equals(TRANSFER_CONTEXT)) return false;
  const remaining = electionTick - core.electionElapsed;
  logVoteDecision(
    core,
    request,
    `ignored ${messageTypeName(request.type)} from`,
    `: lease is not expired (remaining ticks: ${remaining})`,
  );
  return true;
}

export function rejectVote(core: RaftCore, request: Message): void {
  logVoteDecision(core, request, `rejected ${messageTypeName(request.type)} from`);
  sendVoteResponse(core, request.from, request.type, core.term, true);
}

/**
 * Answers a vote request of this term, or a pre-vote request of a later one. Learners vote too:
 * they may not know yet that they were promoted.
 */
export function handleVoteRequest(core: RaftCore, request: Message): void {
  const canVote =
    core.vote === request.from ||
    (core.vote === NONE && core.lead === NONE) ||
    (request.type === MessageType.PreVote && request.term > core.term);
  if (!canVote || !core.log.isUpToDate(request.index, request.logTerm)) {
    rejectVote(core, request);
    return;
  }
  logVoteDecision(core, request, `cast ${messageTypeName(request.type)} for`);
  // The request's term: that of a pre-vote is ahead of the own one, which would be ignored as old.
  sendVoteResponse(core, request.from, request.type, request.term, false);
  if (request.type === MessageType.Vote) {
    core.electionElapsed = 0;
    core.vote = request.from;
  }
}
