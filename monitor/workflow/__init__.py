"""The only floor that opens transactions and calls the rooms."""
