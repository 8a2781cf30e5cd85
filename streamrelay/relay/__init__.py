"""The relay: pairs websocket legs by token and splices their bytes."""
