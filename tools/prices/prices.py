#!/usr/bin/env python3
"""Makes src/provider/prices.csv: what the models of well-known vendors cost.

    pip download --no-deps --dest DIR litellm genai-prices
    tools/prices/prices.py DIR > src/provider/prices.csv

Takes the tables that two packages under the MIT licence carry. A row says from where it is: `both` where
they agree, `litellm` or `genai` where only one of them has the model. A model on which they differ is left
out, unless one only adds tiers or cache prices to the other: then the dearer of each price is taken. Nothing
of the packages is run.
"""

import ast
import csv
import datetime
import json
import pathlib
import re
import sys
import zipfile
from decimal import Decimal

# Vendor: what litellm and genai-prices call it, and the models of litellm whose names begin so.
VENDORS = {
    "openai": ("openai", "openai"),
    "anthropic": ("anthropic", "anthropic"),
    "google": ("gemini", "google"),
    "mistral": ("mistral", "mistral"),
    "groq": ("groq", "groq"),
    "deepseek": ("deepseek", "deepseek"),
    "xai": ("xai", "x-ai"),
    "cohere": ("cohere_chat", "cohere"),
    "moonshot": ("moonshot", "moonshotai"),
    "cerebras": ("cerebras", "cerebras"),
    "together": ("together_ai", "together"),
}

# Not for chats in words.
OTHER = re.compile(
    r"audio|image|tts|realtime|transcri|embed|moderation|search|ocr|live|robotics|computer-use|instruct($|-0)"
    r"|whisper|lyria|veo|gemma|learnlm|babbage|davinci|curie|^ada|rerank|guard|sonar-deep|deep-research"
    r"|codex|voxtral|playai|vision-preview|-exp|experimental|container|orpheus|decision|fim|customtools|^ft:"
    r"|[:@]|[-.]$|\.ft-|claude-v?[0-9]|claude-[a-z]+-3|3-text|gpt-3\.5-0301|^labs-|gemini-(pro|flash)-1\.5|gemini-pro$"
)

# A vendor's own models only; others come from their makers, at other prices for each.
ONLY = {
    "google": re.compile(r"^gemini-(2|3|4|flash|pro)"),
    "openai": re.compile(r"^(gpt-(3\.5|4|5|6|7)|o\d|chatgpt)"),
    "anthropic": re.compile(r"^claude-"),
}

# Vendors of which both tables have to know a model: each alone has many that are gone.
BOTH = {"together", "cohere", "cerebras", "moonshot", "xai", "groq"}


def value(node):
    """A Python expression as plain data; a call is its name and its arguments."""
    match node:
        case ast.Constant():
            return node.value
        case ast.List() | ast.Tuple():
            return [value(one) for one in node.elts]
        case ast.Dict():
            return {value(k): value(v) for k, v in zip(node.keys, node.values)}
        case ast.Call(func=ast.Name(id="Decimal")):
            return Decimal(value(node.args[0]))
        case ast.Call():
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            rest = {one.arg: value(one.value) for one in node.keywords}
            return {"call": name, "args": [value(one) for one in node.args], **rest}
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.UnaryOp():
            return -value(node.operand)
    raise ValueError(ast.dump(node)[:100])


def inside(folder, package, name):
    wheels = sorted(pathlib.Path(folder).glob(package + "-*.whl"))
    with zipfile.ZipFile(wheels[-1]) as wheel:
        return wheel.read(name).decode()


def matches(clause, name):
    """Whether a rule of genai-prices means a model."""
    test = {
        "ClauseEquals": lambda: name == clause["equals"],
        "ClauseStartsWith": lambda: name.startswith(clause["starts_with"]),
        "ClauseEndsWith": lambda: name.endswith(clause["ends_with"]),
        "ClauseContains": lambda: clause["contains"] in name,
        "ClauseRegex": lambda: re.search(clause["regex"], name) is not None,
        "ClauseOr": lambda: any(matches(one, name) for one in clause["or_"]),
        "ClauseAnd": lambda: all(matches(one, name) for one in clause["and_"]),
    }
    return test[clause["call"]]()


def names(clause):
    """The names that a rule spells out."""
    found = [clause[key] for key in ("equals", "starts_with") if key in clause]
    for one in clause.get("or_", []) + clause.get("and_", []):
        found += names(one)
    return found


def genai_price(model, today):
    """{0: (input, cached, write, output), tier: …} of a model of genai-prices."""
    prices = model["prices"]
    if isinstance(prices, list):
        # What began last, or the dearest of what holds at some time of the day.
        candidates, latest = [], datetime.date.min
        for one in prices:
            constraint = one.get("constraint") or {}
            if "start_time" in constraint:
                candidates.append(one["prices"])
                continue
            start = constraint.get("start_date")
            start = datetime.date(*start["args"]) if start else datetime.date.min
            if latest <= start <= today:
                latest, begun = start, one["prices"]
        prices = max([begun, *candidates], key=lambda one: base(one.get("output_mtok")) or 0)
    kinds = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok")
    tiers = {0: [base(prices.get(kind)) for kind in kinds]}
    for place, kind in enumerate(kinds):
        tiered = prices.get(kind)
        for tier in tiered["tiers"] if isinstance(tiered, dict) else []:
            tiers.setdefault(tier["start"], list(tiers[0]))[place] = tier["price"]
    return tiers


def base(price):
    return price["base"] if isinstance(price, dict) else price


def litellm_price(row):
    """The same of a row of litellm, whose prices are for one token."""

    def of(name):
        price = row.get(name)
        return None if price is None else Decimal(str(price)) * 1_000_000

    kinds = (
        "input_cost_per_token",
        "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
        "output_cost_per_token",
    )
    tiers = {0: [of(kind) for kind in kinds]}
    for name in row:
        if found := re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens", name):
            above = f"_above_{found[1]}k_tokens"
            prices = [of(kind + above) for kind in kinds]
            tiers[int(found[1]) * 1000] = [a if a is not None else b for a, b in zip(prices, tiers[0])]
    for prices in tiers.values():
        # To write to a cache for nothing still costs what is read.
        prices[2] = prices[2] or None
    # Thoughts are billed as the answer, unless they cost more.
    thoughts = of("output_cost_per_reasoning_token")
    if thoughts is not None and tiers[0][3] is not None:
        tiers[0][3] = max(tiers[0][3], thoughts)
    return tiers


def merged(one, other):
    """Both together where they agree in what both say; `None` where they do not."""
    for place in (0, 3):
        if one[0][place] != other[0][place]:
            return None
    result = {}
    tiers = sorted(one.keys() | other.keys())
    # "Above 199,999" and "above 200,000" mean the same.
    tiers = [tier for tier in tiers if tier - 1 not in tiers]
    for tier in tiers:
        a = one.get(tier) or one.get(tier + 1) or one[0]
        b = other.get(tier) or other.get(tier + 1) or other[0]
        result[tier] = [dearer(x, y) for x, y in zip(a, b)]
    return result


def dearer(one, other):
    known = [price for price in (one, other) if price is not None]
    return max(known) if known else None


def rows(folder, today):
    lite = json.loads(inside(folder, "litellm", "litellm/model_prices_and_context_window_backup.json"))
    tree = ast.parse(inside(folder, "genai_prices", "genai_prices/data.py"))
    genai = next(value(n.value) for n in tree.body if isinstance(n, ast.AnnAssign))
    genai = {provider["id"]: provider["models"] for provider in genai}
    for vendor, (lite_name, genai_name) in VENDORS.items():
        ours = {}
        for name, row in lite.items():
            if not isinstance(row, dict) or row.get("litellm_provider") != lite_name:
                continue
            if row.get("mode") not in ("chat", "responses"):
                continue
            gone = row.get("deprecation_date")
            if gone and gone < today.isoformat():
                continue
            ours[name.removeprefix(lite_name + "/").removeprefix("xai/")] = litellm_price(row)
        theirs = {}
        for model in genai.get(genai_name, []):
            for name in {model["id"], *names(model["match"])}:
                if matches(model["match"], name):
                    theirs.setdefault(name, genai_price(model, today))
        for name in sorted(ours.keys() | theirs.keys()):
            if OTHER.search(name) or not ONLY.get(vendor, re.compile("")).search(name):
                continue
            one, other = ours.get(name), theirs.get(name)
            if other is None and one is not None:
                means = [m for m in genai.get(genai_name, []) if matches(m["match"], name)]
                other = genai_price(means[0], today) if means else None
            if one and other:
                price, source = merged(one, other), "both"
            elif vendor in BOTH:
                continue
            else:
                price, source = one or other, "litellm" if one else "genai"
            if price is None:
                print(f"they differ: {vendor} {name} {one[0]} {other[0]}", file=sys.stderr)
                continue
            if price[0][0] is None or price[0][3] is None:
                continue
            yield vendor, name, price, source


def plain(price):
    """Without needless zeros; empty for what is not known."""
    if price is None:
        return ""
    text = f"{price:.6f}".rstrip("0").rstrip(".")
    return text or "0"


def main():
    folder = sys.argv[1]
    today = datetime.date.today()
    all_rows = list(rows(folder, today))
    all_rows = [row for row in all_rows if is_best(row, all_rows)]
    known = {(vendor, name): price for vendor, name, price, _ in all_rows}
    print(f"# {today.isoformat()}: US dollars for a million tokens; made by tools/prices/prices.py from the tables")
    print("# of litellm and genai-prices (both MIT). Empty: as input. Tier 0 is for all prompts, others for those")
    print("# of more tokens.")
    print("vendor,model,tier,input,cached_input,cache_write,output,source")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for vendor, name, price, source in all_rows:
        # Dated versions that all cost what their family costs are found by the name of the family.
        of_family = known.get((vendor, family(name)))
        members = [p for (v, n), p in known.items() if v == vendor and family(n) == family(name)]
        if family(name) != name and of_family and all(p == of_family for p in members):
            continue
        for tier, prices in sorted(price.items()):
            writer.writerow([vendor, name, tier, *map(plain, prices), source])


def family(name):
    """The name without its version by date; the program strips the same (src/provider/prices.rs)."""
    return re.sub(r"-(20\d\d-\d\d-\d\d|20\d{6}|\d{3,4}|latest|preview)$", "", name)


def is_best(row, all_rows):
    """Whether no better row has this name; the program takes dots for hyphens."""
    vendor, name, _, source = row
    same = [one for one in all_rows if one[0] == vendor and one[1].replace(".", "-") == name.replace(".", "-")]
    return row == min(same, key=lambda one: (one[3] != "both", -one[2][0][3]))


if __name__ == "__main__":
    main()
