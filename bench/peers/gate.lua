-- The job of Keygate for nginx, on Keygate's own records in Redis: the key from the header, its SHA-256, the record from
-- memory or from Redis, and yes or no.
local ffi = require "ffi"
local cjson = require "cjson.safe"
local lrucache = require "resty.lrucache"
local redis = require "nginx.redis"

-- What nginx links anyway; one call, without a context to set up.
ffi.cdef [[ unsigned char *SHA256(const unsigned char *text, size_t length, unsigned char *digest); ]]

local MAX_KEYS = 100000
local FRESH_SECONDS = 10
local UNKNOWN_SECONDS = 2
local REDIS_TIMEOUT_MS = 1000
local IDLE_MS = 60000
local IDLE_CONNECTIONS = 16
local PERMISSION_DENIED = "7"
local UNAVAILABLE = "14"

local cache = assert(lrucache.new(MAX_KEYS))
local digest_buffer = ffi.new("unsigned char[32]")
local options

local gate = {}

function gate.configure(given)
  options = given
end

local function sha256(text)
  ffi.C.SHA256(text, #text, digest_buffer)
  return ffi.string(digest_buffer, 32)
end

local function to_hex(binary)
  return (binary:gsub(".", function(char) return string.format("%02x", char:byte()) end))
end

-- The record, false if there is none, nil if nobody knows.
local function find(digest)
  local connection = redis:new()
  connection:set_timeout(REDIS_TIMEOUT_MS)
  if not connection:connect("127.0.0.1", options.redis_port) then return nil end
  local id = connection:hget("{" .. options.prefix .. "}:digests", "sha256:" .. to_hex(digest))
  if not id then return nil end
  local json = id ~= ngx.null and connection:hget("{" .. options.prefix .. "}:records", id) or ngx.null
  if not json then return nil end
  connection:set_keepalive(IDLE_MS, IDLE_CONNECTIONS)
  return json ~= ngx.null and cjson.decode(json) or false
end

local function lookup(text)
  local digest = sha256(text)
  local record = cache:get(digest)
  if record == nil then
    record = find(digest)
    if record == nil then return nil end
    cache:set(digest, record, record and FRESH_SECONDS or UNKNOWN_SECONDS)
  end
  return record
end

-- "allow", "deny", or "unknown" while Redis is away.
local function judge()
  local field = ngx.var.http_authorization
  local text = field and field:match("^%a+ +(%S+)$")
  if not text then return "deny" end
  local record = lookup(text)
  if record == nil then return "unknown" end
  if not record or record.kind ~= "ingestion" or record.state ~= "active" then return "deny" end
  if record.expiresAt and record.expiresAt <= ngx.now() * 1000 then return "deny" end
  ngx.var.key_id = record.id
  ngx.var.key_name = record.name
  return "allow"
end

function gate.check_http()
  local verdict = judge()
  if verdict == "allow" then return end
  return ngx.exit(verdict == "deny" and 403 or 503)
end

function gate.check_grpc()
  local verdict = judge()
  if verdict == "allow" then return end
  ngx.status = 200
  ngx.header["content-type"] = "application/grpc"
  ngx.header["content-length"] = 0 -- or nginx would end the stream with a frame of its own: that is no gRPC answer
  ngx.header["grpc-status"] = verdict == "deny" and PERMISSION_DENIED or UNAVAILABLE
  ngx.send_headers()
  return ngx.exit(200)
end

return gate
