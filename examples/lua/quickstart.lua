-- Signs in, validates, refreshes and replaces the token, and reads a report.
--
--     EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… luajit quickstart.lua
--
-- SPDX-License-Identifier: Apache-2.0 OR MIT
local ffi = require("ffi")

-- From evrim.h: what is used here. A status is an int to C.
ffi.cdef [[
typedef struct evrim_client evrim_client;
typedef struct evrim_error evrim_error;
typedef struct evrim_options evrim_options;
typedef struct evrim_response evrim_response;

evrim_options *evrim_options_new(void);
void evrim_options_free(evrim_options *options);
int evrim_options_set_timeout_ms(evrim_options *options, uint32_t milliseconds);

int evrim_new(const char *url, const char *username, const char *password, const evrim_options *options,
              evrim_client **client, evrim_error **error);
int evrim_set_token(evrim_client *client, evrim_error **error);
int evrim_refresh_token(evrim_client *client, evrim_error **error);
int evrim_validate_token(evrim_client *client, bool *valid, evrim_error **error);
int evrim_copy_access_token(const evrim_client *client, char **token, evrim_error **error);
int evrim_request(evrim_client *client, const char *method, const char *path, const void *body,
                  size_t body_len, evrim_response **response, evrim_error **error);
void evrim_free(evrim_client *client);

const uint8_t *evrim_response_body(const evrim_response *response, size_t *len);
const char *evrim_response_string(const evrim_response *response, const char *pointer);
bool evrim_response_int(const evrim_response *response, const char *pointer, int64_t *value);
size_t evrim_response_count(const evrim_response *response, const char *pointer);
void evrim_response_free(evrim_response *response);

const char *evrim_version(void);
const char *evrim_status_name(int32_t status);
const char *evrim_error_message(const evrim_error *error);
int32_t evrim_error_http_status(const evrim_error *error);
bool evrim_error_is_retryable(const evrim_error *error);
void evrim_error_free(evrim_error *error);
void evrim_string_free(char *string);
]]

local names = { OSX = "libevrim.0.dylib", Windows = "evrim.dll" }
local C = ffi.load(os.getenv("EVRIM_LIBRARY") or names[ffi.os] or "libevrim.so.0")

local function text(cstring)
    return cstring ~= nil and ffi.string(cstring) or nil
end

-- Calls a function with a place for its error; a failure is raised as a table.
local Error = { __tostring = function(self) return self.message end }
local function call(f, ...)
    local place = ffi.new("evrim_error *[1]")
    local args = { ... }
    local count = select("#", ...)
    args[count + 1] = place
    local status = f(unpack(args, 1, count + 1))
    if status == 0 then return end
    local failure = setmetatable({
        status = text(C.evrim_status_name(status)),
        message = text(C.evrim_error_message(place[0])),
        http_status = C.evrim_error_http_status(place[0]),
        retryable = C.evrim_error_is_retryable(place[0]),
    }, Error)
    C.evrim_error_free(place[0])
    error(failure)
end

local Client = {}
Client.__index = Client

local function connect(url, username, password)
    local options = ffi.gc(C.evrim_options_new(), C.evrim_options_free)
    assert(options ~= nil and C.evrim_options_set_timeout_ms(options, 30000) == 0)
    local place = ffi.new("evrim_client *[1]")
    call(C.evrim_new, url, username, password, options, place)
    return setmetatable({ handle = ffi.gc(place[0], C.evrim_free) }, Client)
end

function Client:validate_token()
    local valid = ffi.new("bool[1]")
    call(C.evrim_validate_token, self.handle, valid)
    return valid[0]
end

function Client:set_token() call(C.evrim_set_token, self.handle) end

function Client:refresh_token() call(C.evrim_refresh_token, self.handle) end

function Client:access_token()
    local place = ffi.new("char *[1]")
    call(C.evrim_copy_access_token, self.handle, place)
    local token = ffi.string(place[0])
    C.evrim_string_free(place[0])
    return token
end

function Client:request(method, path, body)
    local place = ffi.new("evrim_response *[1]")
    call(C.evrim_request, self.handle, method, path, body, body and #body or 0, place)
    return ffi.gc(place[0], C.evrim_response_free)
end

-- Now, rather than when the collector comes to it.
function Client:close()
    C.evrim_free(ffi.gc(self.handle, nil))
    self.handle = nil -- which the library takes, and refuses
end

-- Methods of a response, by its type.
ffi.metatype("evrim_response", { __index = {
    string = function(self, pointer) return text(C.evrim_response_string(self, pointer)) end,
    count = function(self, pointer) return tonumber(C.evrim_response_count(self, pointer)) end,
    int = function(self, pointer)
        local value = ffi.new("int64_t[1]")
        return C.evrim_response_int(self, pointer, value) and tonumber(value[0]) or nil
    end,
    body = function(self)
        local len = ffi.new("size_t[1]")
        local bytes = C.evrim_response_body(self, len)
        return bytes ~= nil and ffi.string(bytes, len[0]) or ""
    end,
} })

local function main()
    local settings = {}
    for _, name in ipairs { "EVRIM_URL", "EVRIM_USERNAME", "EVRIM_PASSWORD" } do
        settings[#settings + 1] = os.getenv(name) or error("set " .. name, 0)
    end

    local client = connect(unpack(settings))
    print("signed in to " .. settings[1] .. " with libevrim " .. text(C.evrim_version()))
    print("the token is " .. (client:validate_token() and "valid" or "not valid"))
    local before = client:access_token()
    client:refresh_token()
    print("the access token is " .. (client:access_token() == before and "the same" or "another"))
    client:set_token()
    print("both tokens were replaced")

    local report = client:request("GET", "reports/1/")
    print(("report %d is %q, in %d sections and %d bytes"):format(report:int("/id"),
        report:string("/report/title"), report:count("/report/sections"), #report:body()))

    local ok, failure = pcall(client.request, client, "GET", "reports/0/")
    print(not ok and ("%s (%d): %s"):format(failure.status, failure.http_status, failure.message))
    client:close()
end

local ok, failure = pcall(main)
if not ok then
    io.stderr:write(tostring(failure), "\n")
    os.exit(1)
end
