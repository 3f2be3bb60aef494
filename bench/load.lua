-- What wrk sends: one request over and over, or a registration of somebody new each time.
-- Arguments: "forced", "refused" or "registered", and for the last one a word that makes addresses
-- of this run its own.
local signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function encoded(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for shift, there in ipairs({ true, true, b ~= nil, c ~= nil }) do
      local d = math.floor(n / 64 ^ (4 - shift)) % 64 + 1
      out[#out + 1] = there and signs:sub(d, d) or "="
    end
  end
  return table.concat(out)
end

local count, kind, run = 0, nil, ""
local start = '{"application":"planoauth","client":{"email":"'

function init(args)
  kind, run = args[1], args[2] or ""
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "text/plain"
  if kind == "forced" then wrk.headers["Prefer"] = "code=400, example=missing-param" end
  if kind == "refused" then
    wrk.body = encoded(start .. 'client@personas.test","password":"correct horse"}}')
  else
    wrk.body = encoded("{}")
  end
end

function request()
  if kind ~= "registered" then return wrk.format() end
  count = count + 1
  local address = "bench." .. run .. "." .. count .. "@bench.test"
  return wrk.format(nil, nil, nil, encoded(start .. address .. '","password":"correct horse"}}'))
end
