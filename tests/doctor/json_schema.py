# SPDX-License-Identifier: MIT
"""The part of JSON Schema that the files in docs/ use."""


def check_schema(value, schema, path="$"):
    """What is wrong with the value, as a list of lines."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
             "boolean": bool, "null": type(None)}
    wanted = schema.get("type")
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(isinstance(value, kinds[k]) and
                          not (isinstance(value, bool) and k != "boolean") for k in wanted):
        return [f"{path}: is no {wanted}"]
    wrong = []
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{path}: {value!r} is not allowed")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            wrong.append(f"{path}: {value} is out of range")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            wrong.append(f"{path}: is too short")
        for i, item in enumerate(value):
            wrong += check_schema(item, schema.get("items", {}), f"{path}[{i}]")
    if isinstance(value, dict):
        wrong += [f"{path}: lacks {k}" for k in schema.get("required", []) if k not in value]
        known = schema.get("properties", {})
        for k, v in value.items():
            if k in known:
                wrong += check_schema(v, known[k], f"{path}.{k}")
            elif "additionalProperties" in schema:
                wrong += check_schema(v, schema["additionalProperties"], f"{path}.{k}")
            elif known:
                wrong.append(f"{path}: {k} is not in the schema")
    return wrong
