"""The operator in the sandbox: as a process with the code of this tree, or as pods that Helm installs."""
