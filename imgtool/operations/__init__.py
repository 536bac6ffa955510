"""Operations: verbs over typed values, each returning a frozen result; no printing, files or exit codes."""
