-- HAProxy asks Keygate about a request (authz.http), and does what it answers: `http-request lua.keygate`. authorizer.cfg uses it.

-- The section "listen keygate" of authorizer.cfg.
local ASK = "http://127.0.0.1:9190/authz"
local TIMEOUT_MS = 1000

local AWAY = "The authorizer cannot be reached. Keep the data and retry."

-- What belongs to one connection, and what HAProxy says itself: the sender's words for it are not passed on.
local NOT_ASKED = {
  ["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true, ["keep-alive"] = true,
  ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
  ["x-forwarded-for"] = true, ["x-forwarded-method"] = true, ["x-forwarded-uri"] = true,
  ["x-original-method"] = true, ["x-original-uri"] = true, ["x-original-url"] = true,
}

-- HAProxy counts from 0, Lua from 1.
local function each(values)
  local list = {}
  local i = values[0] == nil and 1 or 0
  while values[i] ~= nil do
    list[#list + 1] = values[i]
    i = i + 1
  end
  return list
end

local function first(headers, name)
  local values = headers and headers[name]
  return values and each(values)[1]
end

local function ask(txn, sent)
  local headers = {}
  for name, values in pairs(sent) do
    if not NOT_ASKED[name] then headers[name] = each(values) end
  end
  headers["x-forwarded-method"] = { txn.f:method() }
  headers["x-forwarded-uri"] = { txn.f:pathq() }
  headers["x-forwarded-for"] = { txn.f:src() }
  local asked, answer = pcall(function()
    return core.httpclient():get({ url = ASK, headers = headers, timeout = TIMEOUT_MS })
  end)
  return asked and answer or { status = 0 }
end

local function allow(txn, answer)
  for name in (first(answer.headers, "x-envoy-auth-headers-to-remove") or ""):gmatch("[^,]+") do
    txn.http:req_del_header(name)
  end
  for name, values in pairs(answer.headers) do
    if name:sub(1, 10) == "x-keygate-" then txn.http:req_set_header(name, each(values)[1]) end
  end
end

-- To gRPC a refusal is HTTP 200, and says in its head what was wrong. Whatever is not an answer of Keygate's means: come back.
local function refuse(txn, sent, answer)
  local message = first(answer.headers, "x-keygate-message")
  local status = message and answer.status or 503
  local reply
  if (first(sent, "content-type") or ""):sub(1, 16) == "application/grpc" then
    reply = txn:reply({ status = 200 })
    reply:add_header("content-type", "application/grpc")
    reply:add_header("grpc-status", message and first(answer.headers, "grpc-status") or "14")
    reply:add_header("grpc-message", message or AWAY)
    for _, name in ipairs({ "grpc-status-details-bin", "google.rpc.retryinfo-bin", "x-request-id" }) do
      local value = message and first(answer.headers, name)
      if value then reply:add_header(name, value) end
    end
  else
    reply = txn:reply({ status = status })
    reply:add_header("content-type", message and first(answer.headers, "content-type") or "text/plain")
    for _, name in ipairs({ "retry-after", "x-request-id", "allow" }) do
      local value = message and first(answer.headers, name)
      if value then reply:add_header(name, value) end
    end
    if not message then reply:add_header("retry-after", "2") end
    reply:set_body(message and answer.body or AWAY .. "\n")
  end
  txn:done(reply)
end

core.register_action("keygate", { "http-req" }, function(txn)
  local sent = txn.http:req_get_headers()
  local answer = ask(txn, sent)
  if answer.status == 200 then allow(txn, answer) else refuse(txn, sent, answer) end
end, 0)
