"""config.toml becomes frozen models, or a list of everything that is wrong with it.

`load` is the way in: it reads the file (`source`), fills in `${NAME}` (`interpolation`), reads
the secrets that stand in files of their own (`secret`), validates each table by its model
(`models`, `credential`; the tables of jobs and platforms by what their plug-in declares), applies
the rules that look at several keys (`rules`) and those the caller brings along, and raises one
`ConfigError` that names every problem with its line (`lines`, `problems`). A value that is wrong
is left out and the rest is validated as if it had not been there, so one mistake hides no other.

`keyring` reads the file of keys that seal tokens, which the rules look at before anything starts.

`difference` tells what is different between the file and what runs, and what needs a restart.

The command line asks `control` where the daemon listens: it needs no pydantic, so that
`syncd status` answers at once. That is why nothing is imported here. It also knows where state may
lie when the file cannot be used.

No secret leaves this package but as `SecretStr` or inside an address whose password is hidden
from `repr`. Messages show values as they are written in the file (`${NAME}` stays `${NAME}`),
and never those of secret keys.
"""
