/** The targets of the coverage-guided search. */
import { answerRewriteTarget } from './answer-rewrite.ts';
import { chunkedBodyTarget } from './chunked-body.ts';
import { clientHelloTarget } from './client-hello.ts';
import { hpackTarget } from './hpack.ts';
import { http2AnswerTarget } from './http2-answer.ts';
import { http2FramesTarget } from './http2-frames.ts';
import { http2RequestTarget } from './http2-request.ts';
import { passedOnTarget } from './passed-on.ts';
import { probeAnswersTarget } from './probe-answers.ts';
import { proxyHeaderTarget } from './proxy-header.ts';
import { requestHeadTarget } from './request-head.ts';
import { responseHeadTarget } from './response-head.ts';
import type { FuzzTarget } from './target.ts';
import { trailersTarget } from './trailers.ts';

export const fuzzTargets: readonly FuzzTarget[] = [answerRewriteTarget, chunkedBodyTarget, clientHelloTarget, hpackTarget, http2AnswerTarget, http2FramesTarget, http2RequestTarget, passedOnTarget, probeAnswersTarget, proxyHeaderTarget, requestHeadTarget, responseHeadTarget, trailersTarget];
