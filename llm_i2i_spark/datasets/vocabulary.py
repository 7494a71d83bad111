"""The vocabulary of the synthetic data set: departments with their products, and the words that
series and brands are named by.

A department has a routine of six products. Neighbouring products of one series are bought together,
so a title such as "Velora Moon Orchid Repairing Shampoo, 250 ml" tells by its series and product
what goes with it.
"""

from __future__ import annotations

from typing import NamedTuple

PRODUCTS_PER_SERIES = 6
"""Products in a department's routine, each of which every series of the department has."""


class Department(NamedTuple):
    """A department of the catalogue.

    Attributes:
        path: the category without its last part, the product.
        products: the routine, in the order of use.
        adjectives: four of which one stands in each title.
        sizes: four of which one stands in each title.
    """

    path: str
    products: tuple[str, str, str, str, str, str]
    adjectives: tuple[str, ...]
    sizes: tuple[str, ...]


_CARE = ("Repairing", "Moisturizing", "Gentle", "Nourishing")
_VOLUMES = ("100 ml", "250 ml", "8.5 fl oz", "travel size")
_KITCHEN = ("Stainless", "Classic", "Compact", "Cast")
_GEAR = ("Lightweight", "Rugged", "Folding", "All-Weather")
_PIECES = ("set of 2", "set of 4", "single", "pack of 6")

DEPARTMENTS: tuple[Department, ...] = (
    Department(
        "Beauty > Hair Care",
        ("Shampoo", "Conditioner", "Hair Mask", "Hair Serum", "Heat Spray", "Styling Cream"),
        _CARE,
        _VOLUMES,
    ),
    Department(
        "Beauty > Skin Care",
        ("Cleansing Oil", "Face Wash", "Toner", "Face Serum", "Day Cream", "Sunscreen"),
        _CARE,
        _VOLUMES,
    ),
    Department(
        "Beauty > Nails",
        ("Nail Prep", "Base Coat", "Nail Polish", "Top Coat", "Cuticle Oil", "Polish Remover"),
        ("Glossy", "Quick-Dry", "Matte", "Shimmer"),
        ("10 ml", "15 ml", "red", "nude"),
    ),
    Department(
        "Beauty > Make-up",
        ("Face Primer", "Foundation", "Concealer", "Blush", "Mascara", "Setting Spray"),
        ("Long-Wear", "Natural", "Velvet", "Radiant"),
        ("ivory", "sand", "rose", "mini"),
    ),
    Department(
        "Beauty > Shaving",
        ("Shave Oil", "Shave Soap", "Shaving Brush", "Safety Razor", "After Shave", "Beard Balm"),
        _CARE,
        _VOLUMES,
    ),
    Department(
        "Beauty > Bath",
        ("Bath Salt", "Bubble Bath", "Body Wash", "Body Scrub", "Body Lotion", "Hand Cream"),
        _CARE,
        _VOLUMES,
    ),
    Department(
        "Grocery > Coffee",
        (
            "Coffee Beans",
            "Burr Grinder",
            "Pour-Over Dripper",
            "Paper Filters",
            "Coffee Mug",
            "Descaling Tablets",
        ),
        ("Dark", "Smooth", "Classic", "Barista"),
        ("250 g", "1 kg", "size 2", "size 4"),
    ),
    Department(
        "Grocery > Tea",
        ("Green Tea", "Tea Caddy", "Teapot", "Tea Infuser", "Teacup", "Honey Sticks"),
        ("Organic", "Loose-Leaf", "Porcelain", "Everyday"),
        ("100 g", "500 g", *_PIECES[:2]),
    ),
    Department(
        "Kitchen > Baking",
        ("Mixing Bowl", "Whisk", "Cake Tin", "Baking Paper", "Icing Bag", "Cake Stand"),
        _KITCHEN,
        ("20 cm", "26 cm", *_PIECES[:2]),
    ),
    Department(
        "Kitchen > Cooking",
        (
            "Chef Knife",
            "Knife Sharpener",
            "Cutting Board",
            "Frying Pan",
            "Splatter Screen",
            "Spatula",
        ),
        _KITCHEN,
        ("small", "large", "24 cm", "28 cm"),
    ),
    Department(
        "Outdoor > Camping",
        (
            "Tent",
            "Ground Sheet",
            "Sleeping Mat",
            "Sleeping Bag",
            "Camping Pillow",
            "Camping Lantern",
        ),
        _GEAR,
        ("1 person", "2 person", "green", "orange"),
    ),
    Department(
        "Outdoor > Cycling",
        ("Bike Helmet", "Bike Light", "Bike Lock", "Bottle Cage", "Chain Oil", "Repair Kit"),
        _GEAR,
        ("black", "red", "M", "L"),
    ),
    Department(
        "Sports > Running",
        (
            "Running Shoes",
            "Running Socks",
            "Running Shorts",
            "Sports Watch",
            "Hydration Belt",
            "Foam Roller",
        ),
        ("Breathable", "Cushioned", "Light", "Reflective"),
        ("S", "M", "L", "XL"),
    ),
    Department(
        "Sports > Yoga",
        ("Yoga Mat", "Mat Bag", "Yoga Block", "Yoga Strap", "Bolster", "Mat Cleaner"),
        ("Non-Slip", "Natural", "Soft", "Eco"),
        ("4 mm", "6 mm", "blue", "plum"),
    ),
    Department(
        "Hobby > Painting",
        ("Acrylic Paint", "Brush Set", "Canvas", "Easel", "Palette", "Varnish"),
        ("Studio", "Artist", "Fine", "Student"),
        ("A4", "A3", "12 pieces", "24 pieces"),
    ),
    Department(
        "Hobby > Knitting",
        (
            "Wool Yarn",
            "Knitting Needles",
            "Stitch Markers",
            "Row Counter",
            "Blocking Mat",
            "Yarn Bag",
        ),
        ("Merino", "Soft", "Bamboo", "Chunky"),
        ("50 g", "4 mm", "6 mm", "grey"),
    ),
    Department(
        "Garden > Balcony",
        (
            "Flower Pot",
            "Potting Soil",
            "Herb Seeds",
            "Watering Can",
            "Plant Food",
            "Pruning Shears",
        ),
        ("Terracotta", "Organic", "Compact", "Sturdy"),
        ("1 l", "5 l", "small", "large"),
    ),
    Department(
        "Pets > Dogs",
        ("Puppy Food", "Food Bowl", "Dog Collar", "Dog Leash", "Dog Bed", "Chew Toy"),
        ("Grain-Free", "Soft", "Strong", "Washable"),
        ("S", "M", "L", "2 kg"),
    ),
    Department(
        "Pets > Cats",
        ("Cat Food", "Litter Box", "Cat Litter", "Scratching Post", "Cat Tunnel", "Catnip Toy"),
        ("Grain-Free", "Quiet", "Soft", "Natural"),
        ("1 kg", "5 kg", "grey", "beige"),
    ),
    Department(
        "Baby > Feeding",
        ("Baby Bottle", "Bottle Brush", "Bottle Warmer", "Bib", "Baby Spoon", "High Chair"),
        ("Anti-Colic", "Soft", "BPA-Free", "Easy-Clean"),
        ("0 months", "6 months", *_PIECES[:2]),
    ),
)

SERIES_FIRST = (
    "Amber", "Aqua", "Arctic", "Autumn", "Blue", "Bright", "Cedar", "Coral", "Crystal", "Dawn",
    "Desert", "Ember", "Evening", "Fern", "Forest", "Golden", "Harbor", "Hazel", "Indigo",
    "Ivory", "Jade", "Lunar", "Maple", "Meadow", "Misty", "Moon", "North", "Ocean", "Opal",
    "Pearl", "Quiet", "River", "Sable", "Scarlet", "Silver", "Solar", "Spring", "Velvet", "Wild",
    "Winter",
)  # fmt: skip
SERIES_SECOND = (
    "Anchor", "Arrow", "Birch", "Bloom", "Breeze", "Brook", "Canyon", "Cloud", "Comet", "Cove",
    "Crane", "Drift", "Echo", "Falcon", "Feather", "Field", "Finch", "Garden", "Glade", "Grove",
    "Heron", "Hill", "Island", "Lake", "Lantern", "Leaf", "Lotus", "Lynx", "Orchid", "Otter",
    "Peak", "Petal", "Pine", "Ridge", "Shore", "Sparrow", "Stone", "Tide", "Trail", "Willow",
)  # fmt: skip
BRAND_FIRST = (
    "Al", "Bel", "Cor", "Dal", "El", "Fen", "Gal", "Hol", "Jor", "Kel", "Lum", "Mar", "Nor", "Or",
    "Pel", "Ros", "Sil", "Tor", "Vel", "Zan",
)  # fmt: skip
BRAND_SECOND = (
    "ada", "anto", "aris", "eca", "edo", "enne", "era", "ico", "ilo", "ina", "iva", "ona", "ora",
    "osse", "uma", "ura",
)  # fmt: skip
