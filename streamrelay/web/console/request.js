// Requests to the platform's API but for streams, which streamrelay.js opens.

const PATIENCE = 15_000; // ms until an answer must be there

/** What went wrong, in words; `status` is 0 if there was no answer. */
export class Problem extends Error {
  constructor(words, { status = 0, code = '', retryAfter = 0 } = {}) {
    super(words);
    Object.assign(this, { status, code, retryAfter });
  }
}

/**
 * The answer's JSON, or null if it has none. Raises `Problem`.
 * @type {(method: string, path: string, options?: { body?: object, csrf?: string }) => Promise<any>}
 */
export async function request(method, path, { body, csrf } = {}) {
  const headers = { Accept: 'application/json' };
  if (csrf) headers['X-CSRF-Token'] = csrf;
  if (body) headers['Content-Type'] = 'application/json';
  const text = body && JSON.stringify(body);
  const signal = AbortSignal.timeout(PATIENCE);
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { method, headers, body: text, signal });
  } catch {
    throw new Problem("the platform can't be reached");
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw new Problem(answer?.detail ?? `the platform answered with status ${response.status}`, {
    status: response.status,
    code: answer?.code,
    retryAfter: Number(response.headers.get('Retry-After')) || 0,
  });
}
