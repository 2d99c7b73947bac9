import FoundationEssentials

print("apus")
