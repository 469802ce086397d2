//! Changes to the scripts that a careless hand might make: each must be noticed.
//!
//! A mutant that the model check can't tell from the real script would mean that the check is
//! blind there.

use super::{
    Server,
    model::{given_seed, tells_apart, world::World},
};

/// The most histories that a mutant may survive.
const MOST: u32 = 6_000;

/// What is changed, and into what. The text occurs in the scripts exactly once.
const MUTANTS: &[(&str, &str)] = &[
    // Buckets.
    // (Leaving out the first of the two clamps at full is no change: the second does the same.)
    ("    at = now\n", "    at = at\n"),
    ("if level > full then level = full end", ""),
    ("if level > full then return full end", ""),
    (
        "local flow = (now - at) * rate",
        "local flow = math.abs(now - at) * rate * 2",
    ),
    ("math.ceil(missing / (rate", "math.floor(missing / (rate"),
    ("if at[i] > now then wait = wait + at[i] - now end", ""),
    ("if need + floor > cap then", "if need > cap then"),
    ("(need + floor + kept) * period", "(need + kept) * period"),
    (
        "if need + floor + kept > cap then kept = cap - need - floor end",
        "",
    ),
    ("holder[i] ~= id then others", "holder[i] == id then others"),
    ("if till[i] > now and holder", "if holder"),
    ("may[i] = others == 0", "may[i] = true"),
    ("now + longest + 500", "now + longest"),
    ("a[o + 5] + a[o + 6], id)", "a[o + 5], id)"),
    (
        "if curable and not probe and max_wait",
        "if not probe and max_wait",
    ),
    ("longest <= max_wait then", "longest < max_wait then"),
    (
        "if wait > longest then longest = wait end",
        "longest = wait",
    ),
    (
        "added(level[i], -a[o + 5] * period",
        "added(level[i], -(a[o + 5] + 1) * period",
    ),
    // Gauges and cooldowns.
    (
        "if gauge[i] >= a[G + i * 2] then",
        "if gauge[i] > a[G + i * 2] then",
    ),
    (
        "sets[#sets + 1] = gauge[i] + 1",
        "sets[#sets + 1] = gauge[i]",
    ),
    ("count > 0 and count - 1 or 0", "count"),
    (
        "if v[2] and tonumber(v[2]) > now then",
        "if v[2] and tonumber(v[2]) >= now then",
    ),
    ("if now + a[1] > old then", "if true then"),
    // Money.
    (
        "if bound >= 0 and s + h + need > bound then",
        "if bound >= 0 and s + need > bound then",
    ),
    ("s + h + need > bound", "s + h + need >= bound"),
    ("s + h + need > bound", "s + h > bound"),
    (
        "for i = 1, nm do call('HINCRBY', account, 'h:' .. base[i], amount) end",
        "",
    ),
    (
        "if run_now then call('HINCRBY', KEYS[5], 'h', amount) end",
        "",
    ),
    ("call('HINCRBY', key, held, '-' .. amount)", ""),
    (
        "if delta ~= '0' then call('HINCRBY', key, spent, delta) end",
        "",
    ),
    (
        "verb == 'X' and amount or '0'",
        "verb == 'X' and '0' or '0'",
    ),
    (
        "text(tonumber(cost) - tonumber(amount)) or charged",
        "cost or charged",
    ),
    ("if run_key ~= '' then charge(run_key, 's', 'h') end", ""),
    ("run_now[1] ~= run_limit", "false"),
    (
        "if now >= e and not pinned then",
        "if now > e and not pinned then",
    ),
    (
        "if nm > 0 and not pinned and now < a[7] then",
        "if false then",
    ),
    // Endings.
    (
        "if seen and not probe then return",
        "if seen and string.sub(seen, 1, 1) == 'O' and not probe then return",
    ),
    ("call('SET', record, 'C', 'PX', a[7])", ""),
    (
        "local late = state == 'X' and verb == 'S'",
        "local late = state == 'X'",
    ),
    (
        "local late = state == 'X' and verb == 'S'",
        "local late = false",
    ),
    (
        "if lease and tonumber(lease) > now then",
        "if lease and tonumber(lease) >= now then",
    ),
    ("used = unit == 1 and held or", "used ="),
    (
        "if unit == 2 then return input + output end",
        "if unit == 2 then return input end",
    ),
    (
        "call('SET', record, 'S', 'KEEPTTL')",
        "call('SET', record, 'X', 'KEEPTTL')",
    ),
    ("call('ZREM', leases, id)\n  if verb", "if verb"),
    (
        "call('ZADD', KEYS[1], 'XX', 'GT', unpack(adds))",
        "call('ZADD', KEYS[1], 'XX', unpack(adds))",
    ),
    ("'-inf', now, 'LIMIT'", "'-inf', now - 1, 'LIMIT'"),
    // Extensions.
    ("h[1] = text(tonumber(h[1]) + tonumber(extra))", ""),
    ("(bound < 0 or sum <= bound)", "true"),
    ("if run[1] and not fits(", "if false and not fits("),
    (
        "for i = 1, hm do call('HINCRBY', account, 'h:' .. base[i], extra) end",
        "",
    ),
    // Marks.
    ("if mille > mark and spent >=", "if spent >="),
    (
        "if mille > mark and spent >=",
        "if mille > mark and spent >",
    ),
    (
        "math.ceil(rest * mille / 1000)",
        "math.floor(rest * mille / 1000)",
    ),
    ("a[o + 3] == 1 and mark < 1000", "a[o + 3] == 1"),
    ("pack(ends[i], top, 1000))", "pack(ends[i], top, 0))"),
    // Providers.
    ("if known < level then level = known end", "level = known"),
    (
        "call('HSET', KEYS[1], field, stored(level",
        "local _ = (stored(level",
    ),
    // Top-ups.
    ("pack(e, top, 0))", "pack(e, top, 1000))"),
    ("top = top + tonumber(amount)", "top = tonumber(amount)"),
    (" and made[2] == name", ""),
    ("  w, e = a[9], a[10]\n", ""),
    // The ledger.
    (
        "pack(kind, now, id, delta, body, ARGV[2])",
        "pack(kind, now, id, charged, body, ARGV[2])",
    ),
    (
        "call('XADD', KEYS[4], '*', 'e', pack(kind,",
        "local _ = (pack(kind,",
    ),
    (
        "call('XADD', KEYS[4], '*', 'e', pack('M', now, name",
        "local _ = (pack('M', now, name",
    ),
    (
        "call('XADD', KEYS[4], '*', 'e', pack('M', now, a[",
        "local _ = (pack('M', now, a[",
    ),
    (
        "call('XADD', KEYS[3], '*', 'e', pack('T',",
        "local _ = (pack('T',",
    ),
];

#[test]
fn each_change_to_the_scripts_is_noticed() {
    // The same histories each time: some mutants take a few hundred.
    let seed = given_seed().unwrap_or(20_261_124);
    println!("TOLLGATE_MODEL_SEED={seed}");
    let server = Server::start();
    let mut survivors = Vec::new();
    for (from, into) in MUTANTS {
        let found = std::cell::Cell::new(0);
        let world = World::new(&server, &|body| {
            found.set(found.get() + body.matches(from).count());
            body.replace(from, into)
        });
        assert!(found.get() > 0, "no script has {from:?}");
        match tells_apart(&world, seed, MOST) {
            Some((number, why)) => {
                let why = why.lines().next().unwrap_or_default().to_owned();
                println!("{number:5} {from} -> {into}: {why}");
            }
            None => survivors.push((from, into)),
        }
    }
    assert!(survivors.is_empty(), "not noticed: {survivors:#?}");
}
