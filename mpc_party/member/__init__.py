"""What a member's commands do: the folder that holds its keys, joining, the key ceremony, running, status."""
