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

local start = '{"application":"planoauth","client":{"email":"'
local rest = '","password":"correct horse"}}'

-- Without a function `request`, wrk formats what it sends once. Somebody new each time is made by
-- one, for the product and for what it is compared with.
local function registering(run)
  local count = 0
  return function()
    count = count + 1
    local address = "bench." .. run .. "." .. count .. "@bench.test"
    return wrk.format(nil, nil, nil, encoded(start .. address .. rest))
  end
end

function init(args)
  local kind, run = args[1], args[2] or ""
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "text/plain"
  wrk.body = encoded("{}")
  if kind == "forced" then wrk.headers["Prefer"] = "code=400, example=missing-param" end
  if kind == "refused" then wrk.body = encoded(start .. "client@personas.test" .. rest) end
  if kind == "registered" then request = registering(run) end
end
