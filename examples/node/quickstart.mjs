// Signs in, validates and refreshes the token, reads reports side by side, and cancels a call.
//
//     npm ci
//     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… node quickstart.mjs
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
import koffi from 'koffi';

// koffi's own 128 KiB for the stack of an async call leave little room: TLS crashes with 64.
koffi.config({ async_stack_size: 1 << 20 });

const byPlatform = { darwin: 'libevrim.0.dylib', win32: 'evrim.dll' };
const lib = koffi.load(process.env.EVRIM_LIBRARY || byPlatform[process.platform] || 'libevrim.so.0');
for (const type of ['evrim_client', 'evrim_options', 'evrim_response', 'evrim_error']) koffi.opaque(type);
koffi.proto('void evrim_token_fn(void *user_data, const char *access, const char *refresh, int64_t expires)');

const c = Object.fromEntries([
  'evrim_options *evrim_options_new(void)',
  'void evrim_options_free(evrim_options *options)',
  'int evrim_options_set_timeout_ms(evrim_options *options, uint32_t milliseconds)',
  'int evrim_options_set_token_callback(evrim_options *options, evrim_token_fn *f, void *data, void *destroy)',
  'int evrim_new(const char *url, const char *user, const char *password, const evrim_options *options,' +
    ' _Out_ evrim_client **client, _Out_ evrim_error **error)',
  'int evrim_clone(const evrim_client *client, const evrim_options *options, _Out_ evrim_client **clone,' +
    ' _Out_ evrim_error **error)',
  'int evrim_validate_token(evrim_client *client, _Out_ bool *valid, _Out_ evrim_error **error)',
  'int evrim_refresh_token(evrim_client *client, _Out_ evrim_error **error)',
  'void evrim_close(evrim_client *client)',
  'void evrim_free(evrim_client *client)',
  'int evrim_request(evrim_client *client, const char *method, const char *path, const void *body,' +
    ' size_t body_len, _Out_ evrim_response **response, _Out_ evrim_error **error)',
  'const char *evrim_response_string(const evrim_response *response, const char *pointer)',
  'size_t evrim_response_count(const evrim_response *response, const char *pointer)',
  'void *evrim_response_body(const evrim_response *response, _Out_ size_t *len)',
  'void evrim_response_free(evrim_response *response)',
  'const char *evrim_status_name(int32_t status)',
  'const char *evrim_error_message(const evrim_error *error)',
  'int32_t evrim_error_http_status(const evrim_error *error)',
  'void evrim_error_free(evrim_error *error)',
].map((declaration) => [declaration.match(/\b(evrim_\w+)\(/)[1], lib.func(declaration)]));

class EvrimError extends Error {
  constructor(status, error) {
    super(c.evrim_error_message(error));
    this.name = 'EvrimError';
    this.code = c.evrim_status_name(status);
    this.httpStatus = c.evrim_error_http_status(error);
    c.evrim_error_free(error);
  }
}

// Calls a function on another thread. Its last two arguments, results and error, are added here.
function call(f, ...args) {
  const result = [null];
  const error = [null];
  const outputs = f === c.evrim_refresh_token ? [error] : [result, error];
  return new Promise((resolve, reject) => {
    f.async(...args, ...outputs, (failure, status) => {
      if (failure) reject(failure);
      else if (status !== 0) reject(new EvrimError(status, error[0]));
      else resolve(result[0]);
    });
  });
}

// A request that `signal` can end. It runs on a clone, so that other calls of the client go on.
async function request(client, method, path, { body = null, signal } = {}) {
  signal?.throwIfAborted();
  const clone = [null];
  const error = [null];
  const status = c.evrim_clone(client, null, clone, error); // does not wait
  if (status !== 0) throw new EvrimError(status, error[0]);

  // Whether the other thread has begun the call can't be known here; a close ends it either way.
  const abort = () => c.evrim_close(clone[0]);
  signal?.addEventListener('abort', abort, { once: true });
  const bytes = body === null ? null : Buffer.from(JSON.stringify(body));
  try {
    return await call(c.evrim_request, clone[0], method, path, bytes, bytes?.length ?? 0);
  } finally {
    signal?.removeEventListener('abort', abort);
    c.evrim_free(clone[0]);
  }
}

function json(response) {
  const length = [0];
  const body = c.evrim_response_body(response, length);
  return JSON.parse(body ? koffi.decode(body, 'char', Number(length[0])) : 'null');
}

const { EVRIM_URL: url, EVRIM_USERNAME: username, EVRIM_PASSWORD: password } = process.env;
if (!url || !username || !password) {
  console.error('set EVRIM_URL, EVRIM_USERNAME and EVRIM_PASSWORD');
  process.exit(1);
}

// The callback comes to the event loop while the call that led to it waits on its own thread.
const onTokens = koffi.register(
  (_data, _access, _refresh, expires) => console.log('new tokens, valid until', new Date(Number(expires) * 1000)),
  koffi.pointer('evrim_token_fn'));
const options = c.evrim_options_new();
let client = null;
try {
  if (c.evrim_options_set_timeout_ms(options, 30000) !== 0) throw new Error('the timeout is refused');
  if (c.evrim_options_set_token_callback(options, onTokens, null, null) !== 0) throw new Error('no callback');

  client = await call(c.evrim_new, url, username, password, options);
  console.log('signed in to', url);
  console.log('the token is', (await call(c.evrim_validate_token, client)) ? 'valid' : 'not valid');
  await call(c.evrim_refresh_token, client);

  const reports = await Promise.all([1, 2].map((id) => request(client, 'GET', `reports/${id}/`)));
  for (const report of reports) {
    const title = c.evrim_response_string(report, '/report/title');
    console.log(`"${title}", in ${c.evrim_response_count(report, '/report/sections')} sections`);
  }
  console.log('its id is', json(reports[0]).id);
  reports.forEach((report) => c.evrim_response_free(report));

  await request(client, 'GET', 'reports/0/').catch((error) => console.log(error.httpStatus, error.message));

  try {
    c.evrim_response_free(await request(client, 'GET', 'runs/', { signal: AbortSignal.timeout(200) }));
    console.log('the runs came within 200 ms');
  } catch (error) {
    if (error.code !== 'EVRIM_ERROR_CANCELLED') throw error;
    console.log('the runs took too long: cancelled');
  }
} catch (error) {
  console.error(`${error.code ?? 'error'}: ${error.message}`);
  process.exitCode = 1;
} finally {
  c.evrim_options_free(options);
  c.evrim_free(client);
  koffi.unregister(onTokens);
}
